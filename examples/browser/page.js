/** Connects to a server, sends what is written, shows what comes back, and explains what goes wrong. */

import { USMPClient, USMPError } from 'usmp/browser';

/** What to do about an error, in the words of somebody who sits before the page. */
const REMEDIES = {
  refused: 'The server does not take this key. Paste the one that it printed when it started.',
  key_too_short: 'The key is not complete: it has at least 16 characters.',
  rogue_server:
    'Whatever answers at this address does not know the key. Check the address before anything else.',
  turned_away:
    'Something answers, but it is busy or no USMP server. Check the address, or try again in a minute.',
  connection_lost: 'The server has gone, or the network. Connect again when it is back.',
  idle_timeout: 'Nothing was heard of the server for too long. Connect again.',
  message_too_large: 'The message is too long: cut it in two.',
  bye: 'The server has closed the session.',
};

/** Messages that the page shows; older ones go. */
const MESSAGES_SHOWN = 500;

const utf8 = new TextDecoder();
const $ = (id) => document.getElementById(id);

let client;

$('address').value = new URLSearchParams(location.search).get('server') ?? `ws://${location.hostname}:9001/`;
$('connection').addEventListener('submit', (event) => {
  event.preventDefault();
  connect({ url: $('address').value, psk: $('key').value });
});
$('disconnect').addEventListener('click', () => client.disconnect());
$('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  send($('text').value);
});

async function connect(options) {
  $('problem').hidden = true;
  showState('opening', 'Connecting …');
  try {
    client = new USMPClient(options);
    const session = await client.connect();
    showState('open', 'Connected');
    showFacts(session);
    $('text').focus();
    for await (const message of session) show('received', utf8.decode(message));
    explain(session.error);
  } catch (error) {
    explain(error);
  }
  showState('closed', 'Not connected');
  $('connect').focus();
}

async function send(text) {
  if (text === '') return;
  $('text').value = '';
  try {
    await client.send(text);
    show('sent', text);
  } catch (error) {
    // What was not sent is worth keeping.
    $('text').value = text;
    explain(error);
  }
}

/** `closed` is what the person asked for; all else is told. */
function explain(error) {
  if (error.code === 'closed') return;
  if (!(error instanceof USMPError)) console.error(error);
  $('problem-title').textContent = REMEDIES[error.code] ?? 'That did not work.';
  $('problem-text').textContent = error.code ? `${error.message} (${error.code})` : String(error);
  $('problem').hidden = false;
}

async function showFacts(session) {
  const facts = `Device ${session.deviceId}, session ${session.id.slice(0, 8)}…`;
  $('facts').textContent = facts;
  const roundTrip = await session.ping().catch(() => undefined);
  if (roundTrip !== undefined) $('facts').textContent = `${facts}, round trip ${roundTrip.toFixed(1)} ms`;
}

function showState(state, text) {
  $('status').dataset.state = state;
  $('status').textContent = text;
  for (const id of ['address', 'key', 'connect']) $(id).disabled = state !== 'closed';
  for (const id of ['disconnect', 'text', 'send']) $(id).disabled = state !== 'open';
}

function show(kind, text) {
  const messages = $('messages');
  const item = document.createElement('p');
  item.className = kind;
  item.textContent = text;
  messages.append(item);
  if (messages.childElementCount > MESSAGES_SHOWN) messages.firstElementChild.remove();
  messages.scrollTop = messages.scrollHeight;
}
