// The live parts of the sample: a WebSocket that echoes, and server-sent events.

// Chromium may bring a page back from its back/forward cache after a sign-out, `no-store` or not: it is hidden when it is
// left, and fetched again when it comes back.
addEventListener('pagehide', () => { document.documentElement.hidden = true; });
addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });

const say = (output, text) => { output.textContent += `${text}\n`; };

const chat = document.querySelector('#socket');
if (chat) {
  const output = chat.querySelector('output');
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  let socket;
  const open = () => {
    socket = new WebSocket(`${scheme}//${location.host}${chat.dataset.address}`);
    socket.addEventListener('message', (event) => say(output, `← ${event.data}`));
    socket.addEventListener('close', () => say(output, 'The socket is closed.'));
    return new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }));
  };
  chat.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (socket?.readyState !== WebSocket.OPEN) await open();
    const text = new FormData(chat).get('text');
    say(output, `→ ${text}`);
    socket.send(text);
  });
}

const events = document.querySelector('#events');
if (events) {
  const source = new EventSource(events.dataset.address);
  source.addEventListener('message', (event) => say(events, event.data));
  source.addEventListener('error', () => say(events, 'The stream is interrupted.'));
}
