// The reply box: words, files, Ctrl+Enter. Built once, so what a person is writing is never lost to an update.
import { h, uniqueId } from "./dom.js";
import { act, say } from "./channel.js";
import { size } from "./words.js";

const MOST = 8 * 1024 * 1024;

export function replyBox(channel) {
  const id = uniqueId("reply");
  const isApple = /Mac|iP(hone|ad|od)/.test(globalThis.navigator?.platform ?? "");
  const text = h("textarea", { id, rows: "1", class: "dv-text", placeholder: "Message to Devin", "aria-keyshortcuts": "Control+Enter Meta+Enter" });
  const label = h("label", { for: id, class: "dv-hidden" }, "Message to Devin");
  const picker = h("input", { type: "file", multiple: true, class: "dv-hidden", tabindex: "-1", "aria-hidden": "true" });
  const attach = h("button", { type: "button", class: "dv-button" }, "Attach");
  const send = h("button", { type: "submit", class: "dv-button dv-primary" }, "Send");
  const hint = h("span", { class: "dv-quiet dv-hint" }, `${isApple ? "⌘" : "Ctrl"}+Enter sends`);
  const chosen = h("ul", { class: "dv-files", "aria-label": "Attached files", hidden: true });
  const problem = h("p", { class: "dv-problem", role: "alert", hidden: true });
  const box = h("div", { class: "dv-box" }, label, text, h("div", { class: "dv-box-row" }, hint, picker, attach, send));
  const el = h("form", { class: "dv-reply" }, box, chosen, problem);
  let [files, isReachable, isBusy] = [[], true, false];

  const settle = () => {
    send.disabled = isBusy || !isReachable || !text.value.trim();
    attach.disabled = isBusy || !isReachable;
    text.readOnly = isBusy || !isReachable;
  };
  const list = () => {
    chosen.hidden = !files.length;
    chosen.replaceChildren(...files.map((file) => fileItem(file, () => { files = files.filter((each) => each !== file); list(); attach.focus(); })));
  };
  attach.addEventListener("click", () => picker.click());
  picker.addEventListener("change", () => { files = [...files, ...picker.files]; picker.value = ""; list(); });
  text.addEventListener("input", settle);
  box.addEventListener("click", ({ target }) => { if (target === box) text.focus(); });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    if (!send.disabled) el.requestSubmit();
  });
  el.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (send.disabled) return;
    const wrong = refuse(text.value, files);
    if (wrong) { say(problem, wrong); text.focus(); return; }
    const buffers = await Promise.all(files.map((file) => file.arrayBuffer()));
    const content = { action: "send", text: text.value, files: files.map((file) => file.name) };
    const busy = (is) => { send.textContent = is ? "Sending…" : "Send"; isBusy = is; settle(); };
    const controls = [send, attach, ...chosen.querySelectorAll("button")];
    if (await act(channel, content, buffers, { controls, problem, busy })) { text.value = ""; files = []; list(); }
    settle();
  });
  settle();

  const update = (state) => {
    el.hidden = !state.can.includes("send");
    text.setAttribute("placeholder", state.needs_you ? "Your reply to Devin" : "Message to Devin");
  };
  const reach = (can) => { isReachable = can; settle(); };
  return { el, update, reach };
}

export function refuse(words, files) {
  if (!words.trim()) return "Write a message first.";
  const total = files.reduce((sum, file) => sum + file.size, 0);
  return total > MOST ? `These files have ${size(total)}; up to 8 MB can go from here, more with .send(text, attach=[…]).` : "";
}

function fileItem(file, remove) {
  const name = file.name.replace(/[\u0000-\u001f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, "");
  const button = h("button", { type: "button", class: "dv-link", "aria-label": `Remove ${name}` }, "Remove");
  button.addEventListener("click", remove);
  return h("li", {}, name, " ", h("span", { class: "dv-quiet" }, size(file.size)), " ", button);
}
