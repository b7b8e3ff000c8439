/**
 * Server-sent events, as the API streams them (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 *
 * @module
 */

export interface ServerEvent {
  /** Of this event, or the last one before it that had an id. */
  readonly id: string | undefined;
  readonly type: string;
  readonly data: string;
}

/** The events of a stream, until it ends. Comments, which keep the line open, are left out. */
export async function* serverEvents(stream: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const utf8 = new TextDecoder();
  let id: string | undefined;
  let type = 'message';
  let data: string[] = [];
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + utf8.decode(chunk, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === '') {
        // Without data it is none.
        if (data.length > 0) yield { id, type, data: data.join('\n') };
        type = 'message';
        data = [];
        continue;
      }
      const [, field, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
      if (field === 'data') data.push(value ?? '');
      else if (field === 'event') type = value ?? '';
      else if (field === 'id') id = value ?? '';
    }
  }
}
