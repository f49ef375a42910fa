// What waits for a person's approval, with its two answers; each asks once. Where the live channel tells of one.
import { h, part } from "./dom.js";
import { sureButton } from "./sure.js";

export function approvalView(channel, chat) {
  const problem = h("p", { class: "dv-problem", role: "alert", hidden: true });
  const approve = sureButton(channel, { action: "approve" }, problem, {
    ask: "Approve", look: "dv-primary", question: "Let Devin do this?", yes: "Yes, approve", no: "Not yet", doing: "Approving…",
  });
  const reject = sureButton(channel, { action: "reject" }, problem, {
    ask: "Reject", question: "Refuse this?", yes: "Yes, reject", no: "Not yet", doing: "Rejecting…", danger: true,
  });
  const asked = ({ live }) => live.approval && { ...live.approval, text: chat.approval };
  const words = part({}, asked, (approval) => (approval ? [
    h("div", { class: "dv-who" }, "Devin wants your approval"),
    h("div", { class: "dv-asked" }, approval.title),
    approval.text ? h("pre", { class: "dv-pre", tabindex: "0" }, approval.text) : null,
  ] : []));
  const buttons = h("div", { class: "dv-row" }, approve.el, reject.el);
  const el = h("div", { class: "dv-quote dv-approval", hidden: true }, words.el, buttons, problem);
  let last = null;
  const update = (state) => {
    words.update((last = state));
    el.hidden = !state.live.approval;
    buttons.hidden = !state.can.includes("approve");
  };
  const watcher = () => { if (last) words.update(last); };
  chat.watchers.add(watcher);
  return { el, update, close: () => chat.watchers.delete(watcher), reach: (can) => { approve.reach(can); reject.reach(can); } };
}
