// What JavaScript adds to the pages; everything works without it.

// A page that Back shows again may speak of a session that has ended: ask for it anew.
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});

for (const input of document.querySelectorAll('input[type=password]')) {
  showButton(input);
  capsLockHint(input);
}

function showButton(input) {
  const button = document.createElement('button');
  button.type = 'button';
  button.setAttribute('aria-controls', input.id);
  const state = (shown) => {
    input.type = shown ? 'text' : 'password';
    button.textContent = shown ? 'Hide' : 'Show';
    button.setAttribute('aria-label', `${button.textContent} ${input.dataset.noun ?? 'password'}`);
  };
  state(false);
  button.addEventListener('click', () => state(input.type === 'password'));
  // A password left visible would be kept in the browser's form history.
  input.form.addEventListener('submit', () => state(false));
  input.after(button);
}

function capsLockHint(input) {
  const hint = document.createElement('p');
  hint.className = 'hint';
  hint.setAttribute('role', 'status');
  input.parentElement.after(hint);
  const look = (event) => {
    const on = event.getModifierState?.('CapsLock') ?? false;
    const text = on ? 'Caps Lock is on.' : '';
    if (hint.textContent !== text) hint.textContent = text;
  };
  input.addEventListener('keydown', look);
  input.addEventListener('keyup', look);
  input.addEventListener('blur', () => { hint.textContent = ''; });
}
