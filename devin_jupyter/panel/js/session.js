// One session, drawn from its state: headline, question or answer, money and time, pull requests; the rest folded.
import { badge, fold, h, keepingFocus, labeled, link, part, prose } from "./dom.js";
import { attend } from "./attention.js";
import { buttonRow } from "./buttons.js";
import { GONE } from "./channel.js";
import { chatView } from "./chat.js";
import { replyBox } from "./reply.js";
import { treeView } from "./tree.js";
import { clock, plural, tempo, trouble } from "./words.js";

export function sessionView(channel, chat) {
  const parts = [headline(), money(), latest(), asked(), answer(), output(), replyBox(channel), work(), talk(channel, chat), timeline(), facts(), buttonRow(channel)];
  const ticking = h("span", { class: "dv-quiet dv-tempo" });
  const cut = h("div", { class: "dv-trouble", hidden: true });
  const news = h("div", { class: "dv-hidden", role: "status", "aria-live": "polite" });
  parts[1].el.append(ticking);
  const body = [...parts.slice(0, 2).map((each) => each.el), cut, ...parts.slice(2).map((each) => each.el), news];
  const el = h("section", { class: "dv-panel", tabindex: "-1" }, ...body);
  let state = null;

  const tick = () => {
    if (!state) return;
    const now = Date.now() / 1000;
    if (!channel.isGone) setText(ticking, tempo(state, now));
    setText(cut, channel.isGone ? GONE : trouble(state, now));
    cut.hidden = !cut.textContent;
  };
  const timer = setInterval(() => { if (!document.hidden) tick(); }, 1000);

  const update = (next) => {
    attend(state, next);
    if (state && state.phase !== next.phase) news.textContent = `${next.title}: ${next.label}`;
    state = next;
    el.setAttribute("aria-label", `Devin session: ${next.title}`);
    el.setAttribute("data-phase", next.phase);
    keepingFocus(el, () => { for (const each of parts) each.update(next); });
    tick();
  };
  const seen = new IntersectionObserver((entries) => channel.see(entries.at(-1).isIntersecting));
  seen.observe(el);
  const unwatch = channel.watch(tick);
  const close = () => {
    clearInterval(timer);
    unwatch();
    seen.disconnect();
    for (const each of parts) each.close?.();
  };
  return { el, update, close };
}

function setText(el, words) {
  if (el.textContent !== words) el.textContent = words;
}

function headline() {
  const pick = ({ icon, label, color, labels, title, url }) => ({ icon, label, color, labels, title, url });
  const draw = (state) => [badge(state), ...state.labels.map(labeled), link(state.url, state.title, { class: "dv-title" })];
  return part({ class: "dv-head" }, pick, draw);
}

function money() {
  const el = h("div", { class: "dv-row dv-money" });
  const inner = part({ class: "dv-row" }, ({ cost, acus, cap }) => ({ cost, acus, cap }), ({ cost, acus, cap }) => [
    h("span", {}, cost),
    cap === null || acus === null ? null : h("progress", { class: "dv-meter", max: cap, value: Math.min(acus, cap), "aria-label": `ACU used: ${cost}` }),
  ]);
  el.append(inner.el);
  return { el, update: inner.update };
}

// What Devin says while it works, in one line; the whole is in the conversation.
function latest() {
  return part({ class: "dv-latest dv-cut dv-quiet" }, ({ latest: words }) => words, (words) => (words ? [words] : []));
}

function asked() {
  const pick = ({ question, explanation, phase, url, needs_you }) => ({ question, explanation, phase, url, needs_you });
  return part({ class: "dv-asks" }, pick, ({ question, explanation, phase, url }) => [
    question ? h("div", { class: "dv-quote" }, h("div", { class: "dv-quiet" }, phase === "asleep" ? "Asleep, asked:" : "Devin wrote:"), prose(question)) : null,
    explanation ? h("p", { class: "dv-means" }, explanation) : null,
    phase === "needs_approval" && url ? h("p", {}, link(url, "Approve it in Devin", { class: "dv-button dv-primary" })) : null,
  ]);
}

function answer() {
  return part({ class: "dv-answer" }, ({ answer: html }) => html, (html) => (html ? h("div", { class: "dv-quote" }, prose(html)) : null));
}

function work() {
  return part({ class: "dv-work" }, ({ repos, pull_requests }) => ({ repos, pull_requests }), ({ repos, pull_requests }) => [
    repos.length ? h("p", { class: "dv-row" }, h("span", { class: "dv-quiet" }, repos.length === 1 ? "Repository" : "Repositories"), ...repos.map((repo) => h("span", { class: "dv-chip" }, repo))) : null,
    pull_requests.length ? h("ul", { class: "dv-prs", "aria-label": "Pull requests" }, ...pull_requests.map(pullRequest)) : null,
  ]);
}

function pullRequest({ name, url, state }) {
  return h("li", {}, link(url, name), " ", h("span", { class: "dv-chip" }, state));
}

function output() {
  const tree = treeView();
  const note = h("p", { class: "dv-quiet" });
  const folded = fold("Output", h("div", {}, note, tree.el));
  let shown;
  let asked;
  const update = ({ output: value, output_note, standing, needs_you }) => {
    if (needs_you !== asked) folded.el.open = !needs_you; // nothing stands between a question and its reply box
    asked = needs_you;
    folded.el.hidden = value === null && !output_note;
    folded.note(standing);
    setText(note, output_note || "");
    note.hidden = !output_note;
    const key = JSON.stringify(value);
    if (key !== shown) { shown = key; tree.update(value); }
  };
  return { el: folded.el, update };
}

function talk(channel, chat) {
  let count = 0;
  const view = chatView(chat, (have) => channel.tell({ action: "messages", have }));
  const folded = fold("Conversation", view.el);
  folded.el.addEventListener("toggle", () => { if (folded.el.open) { view.update(count); view.toEnd(); } });
  const update = (state) => {
    count = state.messages;
    folded.note(count ? plural(count, "message") : "");
    if (folded.el.open) view.update(count);
  };
  return { el: folded.el, update, close: view.close };
}

function timeline() {
  const steps = part({}, ({ timeline: list }) => list, (list) => h("ol", { class: "dv-steps" }, ...list.map(({ icon, label, at }) =>
    h("li", {}, h("span", { class: "dv-icon", "aria-hidden": "true" }, icon), label, " ", at ? h("time", { class: "dv-quiet" }, clock(at)) : null))));
  return { el: fold("Timeline", steps.el).el, update: steps.update };
}

function facts() {
  const pairs = part({}, ({ facts: list }) => list, (list) => h("dl", { class: "dv-facts" }, ...list.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, typeof value === "number" ? clock(value) : value)])));
  return { el: fold("Details", pairs.el).el, update: pairs.update };
}
