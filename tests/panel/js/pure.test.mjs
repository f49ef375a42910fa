// The front end's pure functions, with node's own test runner.
import assert from "node:assert/strict";
import { test } from "node:test";

const folder = process.env.PANEL_JS;
const { ago, duration, elapsed, tempo, trouble } = await import(`${folder}/words.js`);
const { answerColumns, barWords, cost, doneWords, matches, money, pace, parts, rowStore, sorted, totals, valueOf } = await import(`${folder}/rows.js`);
const { refuse } = await import(`${folder}/reply.js`);
const { callFor, foremost, goesOn } = await import(`${folder}/attention.js`);
const { isShort, scalar, summary } = await import(`${folder}/tree.js`);
const { webAddress } = await import(`${folder}/dom.js`);
const { chatStore } = await import(`${folder}/chat.js`);
const { tabbed } = await import(`${folder}/answer.js`);
const { channelOf, GONE } = await import(`${folder}/channel.js`);

const row = (id, fields = {}) => ({ id, name: "", title: id, repos: "", reason: "", phase: "working", group: "working", answer: [], pulls: [], needs_you: false, turn_over: false, acus: 1, labels: [], ...fields });

test("durations read like a person says them", () => {
  assert.deepEqual([0, 59, 60, 95, 600, 3600, 7500, 200000].map(duration), ["0 s", "59 s", "1 min", "1 min 35 s", "10 min", "1 h", "2 h 5 min", "2 days"]);
  assert.equal(duration(-5), "0 s");
});

test("a clock that runs behind never makes the past the future", () => {
  assert.equal(ago(100, 90), "just now");
  assert.equal(ago(0, 240), "4 min ago");
});

test("an open turn ticks, a finished one says how long it took", () => {
  assert.equal(tempo({ started: 100, turn_over: false, last_word: 160 }, 400), "running 5 min · last message 4 min ago");
  assert.equal(tempo({ started: 100, turn_over: false, last_word: 160, live: { activity: "testing" } }, 400), "running 5 min");
  assert.equal(tempo({ started: 100, turn_over: false, last_word: 40 }, 400), "running 5 min"); // that was before this turn
  assert.equal(tempo({ started: 100, turn_over: true, took: 120 }, 9999), "2 min");
  assert.equal(tempo({ started: null, turn_over: false, last_word: null }, 1), "");
});

test("trouble names when the service was last seen", () => {
  assert.equal(trouble({ trouble: null }, 0), "");
  assert.equal(trouble({ trouble: { seen: 88, problem: "refused" } }, 100), "reconnecting, last seen 12 s ago (refused)");
});

test("totals tell unknown costs from none, and the bar has a part for each column", () => {
  const rows = [row("a", { acus: 1.5 }), row("b", { acus: null, group: "needs_you" }), row("c", { acus: 0, group: "finished" }), row("d", { group: "failed" })];
  const sum = totals(rows, 4);
  assert.equal(doneWords(sum), "1 of 8 finished");
  assert.equal(barWords(sum), "1 needs you, 1 working, 1 failed, 1 finished, 4 waiting");
  assert.equal(money(sum), "2.5 ACU (1 of unknown cost)");
  assert.deepEqual(parts(sum).map(({ key, share }) => [key, share]), [["finished", 0.125], ["needs_you", 0.125], ["failed", 0.125], ["working", 0.125]]);
  assert.deepEqual(parts(totals([], 0)), []);
});

test("the clock of a batch says how long it runs and about how long it still takes", () => {
  assert.equal(pace({ started: 100, ended: null, seconds_left: 300 }, 820), "12 min, about 5 min left");
  assert.equal(pace({ started: 100, ended: 400, seconds_left: null }, 820), "5 min");
  assert.equal(pace({ started: null }, 820), "");
});

test("the columns of the answers are those that most rows have", () => {
  const rows = [row("a", { answer: [["x", "1"]] }), row("b", { answer: [["y", "2"], ["z", "3"]] }), row("c", { answer: [["y", "4"]] })];
  assert.deepEqual(answerColumns(rows), ["y", "x", "z"]);
  assert.deepEqual(answerColumns(rows, 1), ["y"]);
  assert.equal(valueOf(rows[1], "z"), "3");
  assert.equal(valueOf(rows[0], "z"), "");
});

test("an unknown cost is said, but not of a row that never started", () => {
  assert.equal(cost(row("a", { acus: null })), "ACU unknown");
  assert.equal(cost(row("a", { acus: null, phase: "refused" })), "");
  assert.equal(cost(row("a")), "1 ACU");
});

test("sorting keeps nulls last in both directions and compares numbers in names and answers", () => {
  const rows = [row("s10", { acus: null }), row("s9", { acus: 2 }), row("s1", { acus: 1 })];
  const ids = (found) => found.map(({ id }) => id);
  assert.deepEqual(ids(sorted(rows, (each) => each.acus, false)), ["s1", "s9", "s10"]);
  assert.deepEqual(ids(sorted(rows, (each) => each.acus, true)), ["s9", "s1", "s10"]);
  assert.deepEqual(ids(sorted(rows, (each) => each.title, false)), ["s1", "s9", "s10"]);
  assert.deepEqual(ids(sorted([row("a", { repos: "10" }), row("b", { repos: "9" })], (each) => each.repos, false)), ["b", "a"]);
});

test("every word of the filter must occur", () => {
  assert.ok(matches(row("a", { title: "Upgrade the API", repos: "acme/api" }), "acme upgrade", ""));
  assert.ok(matches(row("a", { answer: [["n", "upgraded"]] }), "upgraded", "working"));
  assert.ok(!matches(row("a", { title: "Upgrade" }), "acme", ""));
  assert.ok(!matches(row("a"), "", "failed"));
});

test("row deltas apply in sequence, old ones are ignored, a gap asks for the table", () => {
  let asked = 0;
  const store = rowStore(() => { asked += 1; });
  store.fill({ sequence: 3, rows: [row("a"), row("b")] });
  assert.deepEqual(store.take({ kind: "rows", sequence: 3, rows: [row("a", { phase: "old" })] }), []);
  assert.deepEqual(store.take({ kind: "rows", sequence: 4, rows: [row("a", { phase: "done" })] }), ["a"]);
  assert.equal(asked, 0);
  store.take({ kind: "rows", sequence: 6, rows: [row("c")] });
  assert.equal(asked, 1);
  store.take({ kind: "table", sequence: 6, rows: [row("a"), row("b"), row("c"), row("d")] });
  assert.deepEqual(store.all().map(({ id }) => id), ["a", "b", "c", "d"]);
});

test("a conversation takes chunks once, in any repetition, and leaves no holes", () => {
  const store = chatStore();
  const items = (...ids) => ids.map((id) => ({ id }));
  store.take({ kind: "messages", from: 2, items: items("c") });
  assert.equal(store.items.length, 0);
  store.take({ kind: "messages", from: 0, items: items("a", "b") });
  store.take({ kind: "messages", from: 1, items: items("b", "c") });
  assert.deepEqual(store.items.map(({ id }) => id), ["a", "b", "c"]);
});

test("steps replace what they grew from, in their places, and the first ones begin anew", () => {
  const store = chatStore();
  const step = (id, status) => ({ id, status });
  store.take({ kind: "steps", fresh: true, items: [step("a", "in_progress"), step("b", "pending")] });
  store.take({ kind: "steps", items: [step("a", "completed"), step("c", "pending")] });
  assert.deepEqual([...store.steps.values()].map(({ id, status }) => `${id} ${status}`), ["a completed", "b pending", "c pending"]);
  store.take({ kind: "steps", fresh: true, items: Array.from({ length: 1200 }, (_, index) => step(String(index), "completed")) });
  assert.equal(store.steps.size, 1000);
  assert.ok(!store.steps.has("199") && store.steps.has("200") && !store.steps.has("a"));
});

test("a copied table is tab-separated and holds no formula", () => {
  const table = { columns: ["file", "n"], rows: [["a\tb", "-3"], ["=SUM(A1)", "@x"], [{ deep: [1] }, ""]] };
  assert.equal(tabbed(table), "file\tn\na b\t-3\n'=SUM(A1)\t'@x\n{\"deep\":[1]}\t");
});

test("a time in a list counts from its start", () => {
  assert.equal(elapsed(112, 100), "+12 s");
  assert.equal(elapsed(90, 100), "+0 s");
});

test("a person is called once the session needs them or ends, not for what was so before", () => {
  const state = (fields) => ({ id: "x", title: "t", label: "done", needs_you: false, turn_over: false, ...fields });
  assert.equal(callFor(null, state({ turn_over: true })), null);
  assert.equal(callFor(state(), state({ turn_over: true })), "Devin: done: t");
  assert.match(callFor(state(), state({ turn_over: true, needs_you: true })), /needs you/);
  assert.equal(callFor(state({ turn_over: true }), state({ turn_over: true })), null);
  assert.equal(callFor(state({ id: "y" }), state({ turn_over: true })), null);
});

test("an empty reply and too many bytes are refused before anything is sent", () => {
  assert.match(refuse("  ", []), /first/);
  assert.match(refuse("x", [{ size: 9 * 1024 * 1024 }]), /9\.0 MB/);
  assert.equal(refuse("x", [{ size: 10 }]), "");
});

test("only web addresses are links", () => {
  for (const bad of ["javascript:alert(1)", "data:text/html,x", "https://user@host/", "https://a b", "//host", "", null, 5]) assert.equal(webAddress(bad), null);
  assert.equal(webAddress("https://app.devin.ai/sessions/1"), "https://app.devin.ai/sessions/1");
});

test("a folded value says what it holds", () => {
  assert.equal(summary([1, 2], [["0", 1], ["1", 2]]), "2 items");
  assert.equal(summary({}, [["file", "a.py"], ["why", null], ["rows", []]]), "a.py");
  assert.ok(isShort([12, 40, "a"]));
  assert.ok(!isShort([{}]) && !isShort({}) && !isShort(["x".repeat(80)]));
  assert.equal(scalar(false), "no");
  assert.equal(scalar(null), "–");
});

test("an outcome reaches only the one who asked", async () => {
  const handlers = new Set();
  const sent = [];
  const model = { on: (_, handler) => handlers.add(handler), off: (_, handler) => handlers.delete(handler), send: (content) => sent.push(content) };
  const [first, second] = [channelOf(model), channelOf(model)];
  const outcome = first.ask({ action: "stop" });
  let other = false;
  second.ask({ action: "stop" }).then(() => { other = true; });
  for (const handler of handlers) handler({ kind: "outcome", token: sent[0].token, error: "no" });
  assert.equal((await outcome).error, "no");
  assert.equal(other, false);
  const before = handlers.size;
  first.close();
  assert.equal(handlers.size, before / 2);
});

test("a session that is over without a time of its end does not tick", () => {
  assert.equal(tempo({ started: 100, turn_over: true, took: null, last_word: 160 }, 400), "");
});

test("a call that needs the person stands before newer ones that only tell", () => {
  assert.equal(foremost([]), null);
  assert.equal(foremost([{ words: "needs", urgent: true }, { words: "done", urgent: false }]), "needs");
  assert.equal(foremost([{ words: "done", urgent: false }, { words: "over", urgent: false }]), "over");
});

test("a call is withdrawn once the session works again or needs nobody any more", () => {
  const asks = { turn_over: true, needs_you: true };
  assert.ok(goesOn(asks, { turn_over: false, needs_you: false }));
  assert.ok(goesOn(asks, { turn_over: true, needs_you: false }));
  assert.ok(!goesOn(asks, asks));
});

test("rows stand in their places, those without one after them", () => {
  const store = rowStore(() => {});
  store.fill({ sequence: 0, rows: [row("new"), row("b", { place: 2 }), row("newer"), row("a", { place: 0 })] });
  assert.deepEqual(store.all().map(({ id }) => id), ["a", "b", "new", "newer"]);
});

test("a kernel that is gone answers everything that was asked, and its return is told", async () => {
  let dead = false;
  const handlers = {};
  const model = { on: (event, handler) => { handlers[event] = handler; }, off: () => {}, send: () => { if (dead) throw new Error("Cannot send"); } };
  const channel = channelOf(model);
  const told = [];
  channel.watch(() => told.push(channel.isGone));
  const outcome = channel.ask({ action: "stop" });
  dead = true;
  handlers.comm_live_update();
  assert.equal((await outcome).error, GONE);
  assert.equal((await channel.ask({ action: "stop" })).error, GONE);
  dead = false;
  handlers.comm_live_update();
  assert.deepEqual(told, [true, false]);
});
