// An act that asks once: a button, then the question with its two answers in its place.
import { h } from "./dom.js";
import { act } from "./channel.js";

// `channel` and `content` say what is done; `words` are those of the button, the question, yes, no, and the doing.
export function sureButton(channel, content, problem, words) {
  const ask = h("button", { type: "button", class: `dv-button ${words.look || ""}`.trim() }, words.ask);
  const yes = h("button", { type: "button", class: `dv-button ${words.danger ? "dv-danger" : "dv-primary"}` }, words.yes);
  const no = h("button", { type: "button", class: "dv-button" }, words.no);
  const sure = h("span", { class: "dv-sure", role: "group", "aria-label": words.question, hidden: true }, h("span", {}, words.question), yes, no);
  const el = h("span", { class: "dv-asking" }, ask, sure);
  const show = (asking, focus = true) => {
    ask.hidden = asking;
    sure.hidden = !asking;
    if (focus) (asking ? no : ask).focus({ preventScroll: true });
  };
  ask.addEventListener("click", () => show(true));
  no.addEventListener("click", () => show(false));
  sure.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault(); // else what the buttons stand in closes with it
    show(false);
  });
  yes.addEventListener("click", async () => {
    const busy = (is) => { yes.textContent = is ? words.doing : words.yes; };
    await act(channel, content, [], { controls: [yes, no], problem, busy });
    show(false, sure.contains(document.activeElement));
  });
  const reach = (can) => { for (const button of [ask, yes, no]) button.disabled = !can; };
  return { el, ask, reach };
}
