// The way to the kernel: `tell` sends, `ask` sends and resolves with the outcome of exactly this request.

const CUSTOM = "msg:custom";

export function channelOf(model) {
  const mine = Math.random().toString(36).slice(2, 10);
  const waiting = new Map();
  let asked = 0;
  const receive = (content) => {
    if (!content || content.kind !== "outcome" || !waiting.has(content.token)) return;
    waiting.get(content.token)(content);
    waiting.delete(content.token);
  };
  model.on(CUSTOM, receive);
  return {
    tell: (content) => model.send(content),
    ask(content, buffers = []) {
      asked += 1;
      const token = `${mine}-${asked}`;
      return new Promise((resolve) => {
        waiting.set(token, resolve);
        model.send({ ...content, token }, undefined, buffers);
      });
    },
    close() {
      model.off(CUSTOM, receive);
      waiting.clear();
    },
  };
}

// One act at a time per control: it stays disabled from the click to the outcome, and an error is shown beside it.
export async function act(channel, content, buffers, { controls, problem, busy }) {
  const patience = setTimeout(() => say(problem, "Waiting for the kernel: it runs a cell, or is gone."), 5000);
  for (const control of controls) control.disabled = true;
  say(problem, "");
  busy(true);
  const outcome = await channel.ask(content, buffers);
  clearTimeout(patience);
  for (const control of controls) control.disabled = false;
  busy(false);
  say(problem, outcome.error || outcome.notice || "");
  return !outcome.error;
}

export function say(el, words) {
  el.textContent = words;
  el.hidden = !words;
}
