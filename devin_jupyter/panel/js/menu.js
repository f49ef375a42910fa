// The menu behind ⋯: stop the session or its turn (each asks once), archive it, copy its id, open it in Devin.
import { h, uniqueId, webAddress } from "./dom.js";
import { act, say } from "./channel.js";
import { copied } from "./clipboard.js";
import { allow, canAsk } from "./attention.js";
import { sureButton } from "./sure.js";

export function menuView(channel) {
  const id = uniqueId("menu");
  const problem = h("p", { class: "dv-problem", role: "alert", hidden: true });
  const cancel = sureButton(channel, { action: "cancel_turn" }, problem, {
    ask: "Cancel this turn", question: "Cancel what Devin is doing? The session stays usable.", yes: "Cancel the turn", no: "Let it go on", doing: "Canceling…",
  });
  const stop = sureButton(channel, { action: "stop" }, problem, {
    ask: "Stop", look: "dv-warns", question: "Stop this session? It cannot be resumed.", yes: "Stop the session", no: "Keep it", doing: "Stopping…", danger: true,
  });
  const archive = h("button", { type: "button", class: "dv-button" }, "Archive");
  archive.addEventListener("click", () => {
    const busy = (is) => { archive.textContent = is ? "Archiving…" : "Archive"; };
    act(channel, { action: "archive" }, [], { controls: [archive], problem, busy });
  });
  const copy = copyButton(problem);
  const open = h("a", { class: "dv-button", target: "_blank", rel: "noopener noreferrer" }, "Open in Devin");
  const notify = h("button", { type: "button", class: "dv-button", title: "A desktop notification when Devin needs you or is done" }, "Notify me");
  notify.addEventListener("click", async () => { await allow(); notify.hidden = !canAsk(); });

  // `toggle` comes after a frame, when a person may be further on: the browser gives the first item the focus at once.
  copy.el.setAttribute("autofocus", "");
  const list = h("div", { id, class: "dv-menu", popover: "auto", role: "group", "aria-label": "Session" }, copy.el, open, notify, archive, cancel.el, stop.el, problem);
  const more = h("button", { type: "button", class: "dv-button dv-more", "aria-label": "More", "aria-expanded": "false", "aria-controls": id, popovertarget: id }, "⋯");
  const hide = () => list.hidePopover?.();
  list.addEventListener("toggle", ({ newState }) => {
    const isOpen = newState === "open";
    more.setAttribute("aria-expanded", String(isOpen));
    document[isOpen ? "addEventListener" : "removeEventListener"]("scroll", hide, { capture: true, passive: true });
    if (!isOpen) return;
    place(list, more);
  });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const all = items(list);
    all[(all.indexOf(document.activeElement) + step + all.length) % all.length]?.focus();
    event.preventDefault();
  });
  const el = h("div", { class: "dv-menu-place" }, more, list);

  const update = (state) => {
    stop.el.hidden = !state.can.includes("stop");
    cancel.el.hidden = !state.can.includes("cancel_turn");
    archive.hidden = !state.can.includes("archive") || !state.turn_over;
    copy.id = state.id;
    const href = webAddress(state.url);
    open.hidden = !href;
    if (href && open.getAttribute("href") !== href) open.setAttribute("href", href);
    notify.hidden = !canAsk() || state.turn_over;
  };
  const reach = (can) => { stop.reach(can); cancel.reach(can); archive.disabled = !can; };
  return { el, update, reach, close: hide };
}

// Popovers stand in the page's own corner; this one belongs below its button.
function place(list, button) {
  const { bottom, right, top } = button.getBoundingClientRect();
  const height = list.offsetHeight;
  list.style.right = `${Math.max(4, document.documentElement.clientWidth - right)}px`;
  list.style.top = `${bottom + height + 4 < innerHeight ? bottom + 4 : Math.max(4, top - height - 4)}px`;
}

function items(list) {
  return [...list.querySelectorAll("button, a")].filter((each) => each.checkVisibility());
}

function copyButton(problem) {
  const button = { id: "", el: h("button", { type: "button", class: "dv-button" }, "Copy id") };
  button.el.addEventListener("click", async () => {
    if (!(await copied(button.id))) { say(problem, `The browser keeps its clipboard closed; the id is ${button.id}`); return; }
    button.el.textContent = "Copied";
    setTimeout(() => { button.el.textContent = "Copy id"; }, 1500);
  });
  return button;
}
