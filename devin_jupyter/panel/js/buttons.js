// The other things one can do with a session: stop it (asks once), archive it, copy its id, open it in Devin.
import { h, webAddress } from "./dom.js";
import { act, say } from "./channel.js";
import { allow, canAsk } from "./attention.js";

export function buttonRow(channel) {
  const problem = h("p", { class: "dv-problem", role: "alert", hidden: true });
  const stop = stopButton(channel, problem);
  const archive = simple("Archive", { action: "archive" }, channel, problem, "Archiving…");
  const copy = copyButton(problem);
  const open = h("a", { class: "dv-button", target: "_blank", rel: "noopener noreferrer" }, "Open in Devin");
  const notify = notifyButton();
  const el = h("div", { class: "dv-buttons" }, h("div", { class: "dv-row" }, stop.el, archive, copy.el, open, notify), problem);
  const update = (state) => {
    stop.el.hidden = !state.can.includes("stop");
    archive.hidden = !state.can.includes("archive");
    copy.id = state.id;
    const href = webAddress(state.url);
    open.hidden = !href;
    if (href && open.getAttribute("href") !== href) open.setAttribute("href", href);
    notify.hidden = !canAsk() || state.turn_over;
  };
  return { el, update };
}

function simple(words, content, channel, problem, underWay) {
  const button = h("button", { type: "button", class: "dv-button" }, words);
  button.addEventListener("click", () => {
    const busy = (is) => { button.textContent = is ? underWay : words; };
    act(channel, content, [], { controls: [button], problem, busy });
  });
  return button;
}

function stopButton(channel, problem) {
  const ask = h("button", { type: "button", class: "dv-button" }, "Stop");
  const yes = h("button", { type: "button", class: "dv-button dv-danger" }, "Stop the session");
  const no = h("button", { type: "button", class: "dv-button" }, "Keep it");
  const sure = h("span", { class: "dv-sure", role: "group", "aria-label": "Stop this session?", hidden: true }, "It cannot be resumed. ", yes, " ", no);
  const el = h("span", {}, ask, sure);
  const show = (asking) => { ask.hidden = asking; sure.hidden = !asking; (asking ? no : ask).focus(); };
  ask.addEventListener("click", () => show(true));
  no.addEventListener("click", () => show(false));
  sure.addEventListener("keydown", (event) => { if (event.key === "Escape") show(false); });
  yes.addEventListener("click", async () => {
    const busy = (is) => { yes.textContent = is ? "Stopping…" : "Stop the session"; };
    await act(channel, { action: "stop" }, [], { controls: [yes, no], problem, busy });
    show(false);
  });
  return { el };
}

function copyButton(problem) {
  const button = { id: "", el: h("button", { type: "button", class: "dv-button" }, "Copy id") };
  button.el.addEventListener("click", async () => {
    if (!(await copied(button.id))) { say(problem, `The browser keeps its clipboard closed; the id is ${button.id}`); return; }
    button.el.textContent = "Copied";
    setTimeout(() => { button.el.textContent = "Copy id"; }, 1500);
    button.el.focus({ preventScroll: true });
  });
  return button;
}

// Pages without TLS have no clipboard but the old one, which copies what is selected.
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = h("textarea", { class: "dv-hidden", "aria-hidden": "true" });
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

function notifyButton() {
  const button = h("button", { type: "button", class: "dv-button", title: "A desktop notification when Devin needs you or is done" }, "Notify me");
  button.addEventListener("click", async () => { await allow(); button.hidden = !canAsk(); });
  return button;
}
