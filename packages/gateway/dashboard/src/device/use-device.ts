/**
 * One device, its messages, and what waits for it, kept up to date by its events.
 *
 * @module
 */

import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { ApiError, devicePath, gatewayNow, get, messageOf } from '../api/client.js';
import type { Device, GatewayEvent, Message, MessagePage, Outbox } from '../api/types.js';
import type { Point } from '../components/chart-scale.js';
import { batched } from '../state/batch.js';
import {
  type Conversation,
  EMPTY,
  fromHistory,
  withEvents,
  withMessage,
  withOlder,
} from '../state/conversation.js';
import { refusalsChanged } from '../state/refusals.js';
import { ALL_TYPES, ARRIVALS } from '../state/scope.js';
import { useEvery, useLive } from '../state/use-live.js';

const PAGE = 100;
/** Events change what is shown this often at most. Milliseconds. */
const SHOW_EVERY = 150;
/** Numbers of the session. Milliseconds. */
const ASK_EVERY = 3_000;
/** Round trips that are kept: an hour of them. */
const MOST_POINTS = 1_200;

export interface DeviceView {
  readonly device: Device | undefined;
  /** It is not there, or cannot be read. */
  readonly problem: { readonly text: string; readonly isGone: boolean } | undefined;
  readonly conversation: Conversation;
  readonly waiting: Outbox | undefined;
  /** Since the page was opened. */
  readonly roundTrips: readonly Point[];
  readonly setDevice: (device: Device) => void;
  readonly addMessage: (message: Message) => void;
  readonly loadOlder: () => Promise<void>;
  readonly reload: () => void;
}

export function useDevice(id: string): DeviceView {
  const [device, setDevice] = useState<Device>();
  const [problem, setProblem] = useState<DeviceView['problem']>();
  const [conversation, setConversation] = useState<Conversation>(EMPTY);
  const [waiting, setWaiting] = useState<Outbox>();
  const [roundTrips, setRoundTrips] = useState<readonly Point[]>([]);
  /** Events since the history was asked for, while it has not come. */
  const meanwhile = useRef<GatewayEvent[] | undefined>(undefined);
  const older = useRef<number | null>(null);
  older.current = conversation.older;

  const ask = useCallback(async () => {
    try {
      const [answer, outbox] = await Promise.all([
        get<Device>(devicePath(id)),
        get<Outbox>(devicePath(id, '/outbox'), { limit: 1 }),
      ]);
      setDevice(answer);
      setWaiting(outbox);
      setProblem(undefined);
      const value = answer.session?.rtt ?? null;
      setRoundTrips((points) => [...points, { at: gatewayNow(), value }].slice(-MOST_POINTS));
    } catch (error) {
      const isGone = error instanceof ApiError && error.status === 404;
      if (isGone || !(error instanceof ApiError && error.isAway))
        setProblem({ text: messageOf(error), isGone });
    }
  }, [id]);

  const load = useCallback(async () => {
    void ask();
    const events: GatewayEvent[] = [];
    meanwhile.current = events;
    try {
      const page = await get<MessagePage>(devicePath(id, '/messages'), { limit: PAGE });
      // It was asked for again.
      if (meanwhile.current !== events) return;
      meanwhile.current = undefined;
      setConversation((before) => fromHistory(page, before, events));
    } catch {
      // What asks for the device says what is wrong.
    }
  }, [id, ask]);

  const loadOlder = useCallback(async () => {
    const before = older.current;
    if (before === null) return;
    const page = await get<MessagePage>(devicePath(id, '/messages'), { limit: PAGE, before });
    setConversation((conversation) => withOlder(conversation, page, before));
  }, [id]);

  const take = useMemo(
    () =>
      batched<GatewayEvent>(SHOW_EVERY, (events) => {
        meanwhile.current?.push(...events);
        setConversation((before) => withEvents(before, events));
        if (events.some(({ type }) => type === 'refused')) refusalsChanged();
        if (events.some(({ type }) => type !== 'message')) void ask();
      }),
    [ask],
  );
  // The gateway has no stream for a device that is not there.
  useLive(problem?.isGone === true ? ARRIVALS : { device: id, types: ALL_TYPES }, take, load);
  useEvery(ASK_EVERY, () => {
    // One that is gone is told by an event when it is added again.
    if (problem?.isGone !== true) void ask();
  });
  useEffect(() => {
    setConversation(EMPTY);
    setRoundTrips([]);
  }, [id]);
  return {
    ...{ device, problem, conversation, waiting, roundTrips, loadOlder, setDevice },
    addMessage: (message) => setConversation((before) => withMessage(before, message)),
    reload: () => void load(),
  };
}
