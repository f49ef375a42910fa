// The way to the kernel: `tell` sends, `ask` sends and resolves with the outcome of exactly this request.
// A kernel that is gone makes sending throw; that is told to whoever watches, and so is its return.
import { isFocusNowhere, refocus } from "./dom.js";

const CUSTOM = "msg:custom";
const COMM = "comm_live_update";
export const GONE = "The kernel is gone; run the cell again.";

export function channelOf(model) {
  const mine = Math.random().toString(36).slice(2, 10);
  const waiting = new Map();
  const watchers = new Set();
  let asked = 0;
  let seen = false;
  const channel = { isGone: false, tell, ask, see, isSeen: () => seen, watch, close };
  const settle = (token, outcome) => {
    waiting.get(token)?.(outcome);
    waiting.delete(token);
  };
  const receive = (content) => { if (content?.kind === "outcome") settle(content.token, content); };
  function tell(content, buffers) {
    const was = channel.isGone;
    try {
      model.send(content, undefined, buffers);
      channel.isGone = false;
    } catch {
      channel.isGone = true;
    }
    if (channel.isGone) for (const token of [...waiting.keys()]) settle(token, { error: GONE });
    if (channel.isGone !== was) for (const watcher of watchers) watcher();
  }
  function ask(content, buffers = []) {
    asked += 1;
    const token = `${mine}-${asked}`;
    return new Promise((resolve) => {
      waiting.set(token, resolve);
      tell({ ...content, token }, buffers);
    });
  }
  // Whether somebody can see this; said again when the line to the kernel changed, which also tells if there is one.
  function see(visible = seen) {
    seen = visible;
    tell({ action: "seen", visible });
  }
  function watch(watcher) {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  }
  const changed = () => see();
  model.on(CUSTOM, receive);
  model.on(COMM, changed);
  function close() {
    model.off(CUSTOM, receive);
    model.off(COMM, changed);
    waiting.clear();
  }
  return channel;
}

// One act at a time per control: it stays disabled from the click to the outcome, and an error is shown beside it.
// A disabled control loses the focus; it gets it back, or its panel where it is gone, unless a person moved on.
export async function act(channel, content, buffers, { controls, problem, busy }) {
  const patience = setTimeout(() => say(problem, "Waiting for the kernel: it runs a cell, or is gone."), 5000);
  const held = document.activeElement;
  for (const control of controls) control.disabled = true;
  say(problem, "");
  busy(true);
  const outcome = await channel.ask(content, buffers);
  clearTimeout(patience);
  for (const control of controls) control.disabled = channel.isGone;
  busy(false);
  if (controls.includes(held) && isFocusNowhere()) refocus(held);
  say(problem, outcome.error || outcome.notice || "");
  return !outcome.error;
}

export function say(el, words) {
  el.textContent = words;
  el.hidden = !words;
}
