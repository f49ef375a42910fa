// What Devin does while it works: activity, plan, last words, newest steps. Its height is set once and then stays: a few
// lines without the live channel, twelve with it; what does not fit scrolls.
import { h, part, prose } from "./dom.js";
import { stepList } from "./steps.js";

const PLAN_LINES = 5;

export function workView(chat) {
  const now = part({ class: "dv-now" }, ({ live, phase }) => ({ activity: live.activity, progress: live.progress, phase }), ({ activity, progress, phase }) => [
    ...doing(activity || (phase === "queued" ? "waiting for Devin to start" : "working")),
    progress ? h("span", { class: "dv-quiet" }, ` · plan ${progress[0]} of ${progress[1]}`) : null,
  ]);
  const plan = part({ class: "dv-plan" }, ({ live }) => live.plan, (entries) => (entries.length ? planLines(entries) : []));
  const words = part({ class: "dv-latest" }, ({ words: said }) => said?.html ?? null, (html) => (html ? [prose(html)] : []));
  const steps = stepList(chat, { most: 40, label: "Newest steps" });
  const el = h("div", { class: "dv-work", hidden: true }, now.el, plan.el, words.el, steps.el);
  let isFull = false;
  const update = (state) => {
    el.hidden = state.turn_over;
    if (state.turn_over) { isFull = false; return; }
    isFull ||= ["on", "connecting"].includes(state.live.state) || state.live.plan.length > 0 || state.live.steps > 0;
    el.classList.toggle("dv-full", isFull);
    for (const each of [now, plan, words]) each.update(state);
    steps.el.hidden = !isFull;
    if (isFull) steps.update();
  };
  return { el, update, close: steps.close };
}

function doing(words) {
  const [first, ...rest] = words.split(" ");
  return [h("strong", {}, first.charAt(0).toUpperCase() + first.slice(1)), rest.length ? ` ${rest.join(" ")}` : ""];
}

const MARKS = new Map(Object.entries({ completed: "✓", in_progress: "◐", pending: "·" })); // a status is any word: no name of a prototype may count

// A long plan is shown around where it is; how much there is above and below is said.
function planLines(entries) {
  const at = Math.max(0, entries.findIndex(({ status }) => status === "in_progress"));
  const from = entries.length <= PLAN_LINES ? 0 : Math.max(0, Math.min(at - 1, entries.length - PLAN_LINES));
  const shown = entries.slice(from, from + PLAN_LINES);
  const lines = shown.map(({ text, status }) => h("li", { class: MARKS.has(status) ? `dv-${status}` : "" }, h("span", { class: "dv-icon", "aria-hidden": "true" }, MARKS.get(status) ?? "·"), h("span", { class: "dv-cut" }, text), h("span", { class: "dv-hidden" }, ` (${status.replace("_", " ")})`)));
  const rest = [from ? `${from} before` : "", entries.length - from - shown.length ? `${entries.length - from - shown.length} after` : ""].filter(Boolean);
  return [h("ul", { role: "list", "aria-label": "Plan" }, ...lines), rest.length ? h("div", { class: "dv-quiet" }, `… ${rest.join(", ")}`) : null];
}
