/** What the browser keeps of choices. Storage may be closed to this page; then choices last as long as it is open. */

const held = new Map();

function kept(storage, name) {
  try {
    return window[storage].getItem(`resnetkit.${name}`) ?? held.get(name) ?? null;
  } catch {
    return held.get(name) ?? null;
  }
}

function keep(storage, name, value) {
  held.set(name, value);
  try {
    if (value === null) window[storage].removeItem(`resnetkit.${name}`);
    else window[storage].setItem(`resnetkit.${name}`, value);
  } catch {
    // held above
  }
}

/** A choice that outlives the page: theme, language, classifier. */
export const choice = (name) => kept("localStorage", name);
export const choose = (name, value) => keep("localStorage", name, value);

/** The token, which ends with the browser's tab. */
export const token = () => kept("sessionStorage", "token");
export const keepToken = (value) => keep("sessionStorage", "token", value);
