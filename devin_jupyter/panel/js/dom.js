// Elements from values. Text of others goes through text nodes; HTML only through `prose`, cleaned by the kernel.

// JupyterLab takes single keys on anything focused in a notebook for its shortcuts, unless the element itself objects.
const FOCUSABLE = new Set(["a", "button", "input", "select", "summary", "textarea"]);

function keepKeys(el) {
  el.setAttribute("data-lm-suppress-shortcuts", "true");
}

// What is left of a key after the element took it is nobody's else: a notebook would take Enter for its cell.
export function quietKeys(el) {
  el.addEventListener("keydown", (event) => event.stopPropagation());
  return el;
}

export function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  if (FOCUSABLE.has(tag) || "tabindex" in props) keepKeys(el);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else el.setAttribute(name, value === true ? "" : value);
  }
  el.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return el;
}

export function webAddress(url) {
  return typeof url === "string" && /^https?:\/\/[^\s@]+$/i.test(url) ? url : null;
}

export function link(url, label, props = {}) {
  const href = webAddress(url);
  return href ? h("a", { ...props, href, target: "_blank", rel: "noopener noreferrer" }, label) : h("span", props, label);
}

export function prose(html) {
  const el = h("div", { class: "dv-prose" });
  el.innerHTML = html;
  el.querySelectorAll("a").forEach(keepKeys);
  return el;
}

export function badge(state) {
  const el = h("span", { class: "dv-badge" }, h("span", { "aria-hidden": "true" }, `${state.icon} `), state.label);
  el.style.backgroundColor = state.color;
  return el;
}

const MEANINGS = { simulated: "Played by the local simulator: its pages and pull requests do not exist." };

export function labeled(words) {
  return h("span", { class: "dv-label", title: MEANINGS[words] }, words);
}

// A part of the panel that is drawn anew only when what it shows has changed, so that focus and scroll stay.
export function part(props, pick, draw) {
  const el = h("div", props);
  let shown;
  const update = (state) => {
    const value = pick(state);
    const key = JSON.stringify(value ?? null);
    if (key === shown) return;
    shown = key;
    el.replaceChildren(...[draw(value)].flat().filter(Boolean));
    el.hidden = !el.childNodes.length;
  };
  return { el, update };
}

export function isAtEnd(el) {
  return el.scrollHeight - el.scrollTop - el.clientHeight < 40;
}

// Changes what is inside; where that takes the element with the focus away, the whole keeps it.
export function keepingFocus(el, change) {
  const held = document.activeElement;
  const inside = el.contains(held);
  change();
  if (inside && !(el.contains(held) && held.checkVisibility())) el.focus({ preventScroll: true });
}

// Gives the focus to an element, or to its panel where it is hidden.
export function refocus(el) {
  (el.checkVisibility() ? el : el.parentElement.closest("[tabindex]"))?.focus({ preventScroll: true });
}

// Whether no element has the focus: a control that is hidden or disabled loses it to the page.
export function isFocusNowhere() {
  const { activeElement } = document;
  return !activeElement || activeElement === document.body || activeElement.disabled;
}

let count = 0;
export function uniqueId(stem) {
  count += 1;
  return `dv-${stem}-${count}-${Math.random().toString(36).slice(2, 8)}`;
}
