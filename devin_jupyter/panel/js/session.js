// One session, drawn from its state, in the order of what a person needs first: status, cost and time, what was said,
// what Devin does or the answer, the reply box, and a row of tabs for the rest.
import { answerView } from "./answer.js";
import { approvalView } from "./approval.js";
import { attend } from "./attention.js";
import { GONE } from "./channel.js";
import { badge, h, keepingFocus, link, part, prose } from "./dom.js";
import { menuView } from "./menu.js";
import { replyBox } from "./reply.js";
import { tabsView } from "./tabs.js";
import { workView } from "./work.js";
import { clock, tempo, trouble } from "./words.js";

export function sessionView(channel, chat) {
  const menu = menuView(channel);
  const head = headline(menu.el);
  const facts = meta();
  const parts = [head, facts, menu, said(), workView(chat), explained(), answerView(), asked(), approvalView(channel, chat), replyBox(channel), tabsView(channel, chat)];
  const news = h("div", { class: "dv-hidden", role: "status", "aria-live": "polite" });
  const el = h("section", { class: "dv-panel", tabindex: "-1" }, ...parts.filter((each) => each !== menu).map((each) => each.el), news);
  let state = null;

  const tick = () => {
    if (!state) return;
    el.classList.toggle("dv-gone", channel.isGone);
    facts.tick(state, Date.now() / 1000, channel.isGone);
    for (const each of parts) each.reach?.(!channel.isGone);
  };
  const timer = setInterval(() => { if (!document.hidden) tick(); }, 1000);

  const update = (next) => {
    attend(state, next);
    if (state && state.label !== next.label) news.textContent = `${next.title}: ${next.label}`;
    state = next;
    el.setAttribute("aria-label", `Devin session: ${next.title}`);
    el.setAttribute("data-phase", next.phase);
    el.classList.toggle("dv-open", !next.turn_over);
    keepingFocus(el, () => { for (const each of parts) each.update(next); });
    tick();
  };
  const seen = new IntersectionObserver((entries) => {
    channel.see(entries.at(-1).isIntersecting);
    if (state) for (const each of parts) each.look?.(state);
  });
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

const MEANINGS = { simulated: "Played by the local simulator: its pages and pull requests do not exist." };

function headline(menu) {
  const pick = ({ icon, label, color, labels, title, url }) => ({ icon, label, color, labels, title, url });
  const draw = (state) => [
    badge(state),
    link(state.url, state.title, { class: "dv-title" }),
    h("span", { class: "dv-marks" }, ...state.labels.map((words) => h("span", { class: "dv-label", title: MEANINGS[words] }, words))),
  ];
  const inner = part({ class: "dv-head-words" }, pick, draw);
  return { el: h("div", { class: "dv-head" }, inner.el, menu), update: inner.update };
}

// Cost, time, repositories and pull requests. While the turn is open this is one line, so that nothing below it jumps.
function meta() {
  const money = part({ class: "dv-row dv-money" }, ({ cost, acus, cap, color }) => ({ cost, acus, cap, color }), ({ cost, acus, cap, color }) => {
    const meter = cap === null || acus === null ? null : h("progress", { class: "dv-meter", max: cap, value: Math.min(acus, cap), "aria-label": `ACU used: ${cost}` });
    meter?.style.setProperty("--dv-full", color);
    return [h("span", { class: "dv-cost" }, cost), meter];
  });
  const time = h("span", { class: "dv-quiet dv-tempo" });
  const cut = h("span", { class: "dv-trouble", role: "status" });
  const work = part({ class: "dv-row dv-chips" }, ({ repos, pull_requests }) => ({ repos, pull_requests }), ({ repos, pull_requests }) => [
    ...repos.map((repo) => h("span", { class: "dv-chip" }, repo)),
    ...pull_requests.map(({ name, url, state }) => h("span", { class: "dv-chip" }, link(url, name), " · ", state)),
  ]);
  const el = h("div", { class: "dv-meta", tabindex: "-1" }, money.el, time, cut, work.el);
  const update = (state) => { money.update(state); work.update(state); };
  const tick = (state, now, isGone) => {
    const wrong = isGone ? GONE : trouble(state, now);
    setText(cut, wrong);
    cut.hidden = !wrong;
    cut.title = wrong;
    time.hidden = Boolean(wrong) && !isGone;
    if (isGone) return; // what ran when the kernel went no longer runs for all we know
    setText(time, wrong ? "" : tempo(state, now));
    if (state.started) time.title = `since ${clock(state.started)}`;
  };
  return { el, update, tick };
}

function setText(el, words) {
  if (el.textContent !== words) el.textContent = words;
}

// The message of this cell and Devin's words below it. A question stands further down, next to the reply box.
function said() {
  const pick = ({ you, words, turn_over }) => ({ you, words: turn_over && words && !words.asks ? words : null });
  return part({ class: "dv-said" }, pick, ({ you, words }) => [
    you ? line("You", prose(you)) : null,
    words ? line("Devin", words.short === null ? prose(words.html) : folded(words)) : null,
  ]);
}

function line(who, body) {
  return h("div", { class: "dv-line" }, h("span", { class: "dv-who" }, who), body);
}

function folded({ short, html }) {
  const more = h("button", { type: "button", class: "dv-link", "aria-expanded": "false" }, "more");
  const el = prose(short);
  el.classList.add("dv-short");
  el.append(" ", more);
  const less = h("button", { type: "button", class: "dv-link", "aria-expanded": "true" }, "less");
  const whole = h("div", {}, prose(html), less);
  more.addEventListener("click", () => { el.replaceWith(whole); less.focus({ preventScroll: true }); });
  less.addEventListener("click", () => { whole.replaceWith(el); more.focus({ preventScroll: true }); });
  return el;
}

function explained() {
  return part({ class: "dv-means" }, ({ explanation, live }) => (live.approval ? null : explanation), (words) => (words ? [words] : []));
}

function asked() {
  const pick = ({ words, turn_over, phase, url, live }) => ({ words: turn_over && words?.asks ? words : null, link: phase === "needs_approval" && !live.approval ? url : null });
  return part({ class: "dv-asks" }, pick, ({ words, link: url }) => [
    words ? h("div", { class: "dv-quote" }, h("div", { class: "dv-who" }, "Devin asks"), prose(words.html)) : null,
    url ? h("p", {}, link(url, "Approve it in Devin", { class: "dv-button dv-primary" })) : null,
  ]);
}
