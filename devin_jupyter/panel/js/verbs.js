// What one can do with all rows of a batch: pause, resume, retry, export, and stop, which asks once.
import { act, say } from "./channel.js";
import { h, refocus } from "./dom.js";
import { number, plural } from "./words.js";

const VERBS = [
  { name: "pause", title: "Pause", busy: "Pausing…", hint: "Start no more rows; running sessions continue" },
  { name: "resume", title: "Resume", busy: "Resuming…", hint: "Start the rows that wait" },
  { name: "retry", title: "Retry failed", busy: "Starting…", hint: "Start another session for each failed row, at additional cost" },
  { name: "export", title: "Export", busy: "Writing…", hint: "Write the table as CSV beside the notebook" },
];

// What one can do with all rows. Ending sessions is for good, so it looks different and asks once.
export function verbRow(model, channel) {
  const problem = h("p", { class: "dv-problem", role: "alert", hidden: true });
  const buttons = VERBS.map(({ name, title, busy, hint }) => {
    const el = h("button", { type: "button", class: "dv-button", title: hint }, title);
    el.addEventListener("click", () => {
      act(channel, { action: name }, [], { controls: [el], problem, busy: (is) => { el.textContent = is ? busy : title; } });
    });
    return { name, el };
  });
  const ask = h("button", { type: "button", class: "dv-button dv-ends" }, "Stop all…");
  const yes = h("button", { type: "button", class: "dv-button dv-danger" });
  const no = h("button", { type: "button", class: "dv-button" }, "Keep them");
  const question = h("span");
  const sure = h("div", { class: "dv-row dv-sure", role: "group", "aria-label": "Stop all sessions?", hidden: true }, question, yes, no);
  const count = () => {
    const { open, waiting } = model.get("header");
    question.textContent = `${plural(open, "session")} ${open === 1 ? "is" : "are"} ended for good${waiting ? `, and ${number(waiting)} waiting ${waiting === 1 ? "row is" : "rows are"} not started` : ""}.`;
    if (!yes.disabled) yes.textContent = `Stop ${plural(open, "session")}`;
  };
  const show = (asking) => {
    count();
    sure.hidden = !asking;
    say(problem, "");
    (asking ? no : ask).focus();
  };
  ask.addEventListener("click", () => show(true));
  no.addEventListener("click", () => show(false));
  sure.addEventListener("keydown", (event) => { if (event.key === "Escape") show(false); });
  yes.addEventListener("click", async () => {
    await act(channel, { action: "stop_all" }, [], { controls: [yes, no], problem, busy: (is) => { if (is) yes.textContent = "Stopping…"; } });
    const held = sure.contains(document.activeElement);
    sure.hidden = true;
    if (held) refocus(ask);
  });
  const update = ({ can, failed }) => {
    for (const { name, el } of buttons) {
      el.hidden = !can.includes(name);
      if (name === "retry" && !el.disabled) el.textContent = failed ? `Retry ${number(failed)} failed` : "Retry failed";
      el.disabled = channel.isGone;
    }
    ask.hidden = !can.includes("stop_all");
    ask.disabled = channel.isGone;
    if (ask.hidden) sure.hidden = true;
    if (!sure.hidden) count();
  };
  return { els: [...buttons.map(({ el }) => el), ask], sure, problem, update };
}
