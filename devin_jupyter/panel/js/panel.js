// The widget of one session. One state, one draw; the conversation arrives beside it, in chunks.
import { channelOf } from "./channel.js";
import { chatStore } from "./chat.js";
import { h, quietKeys } from "./dom.js";
import { anchored } from "./anchor.js";
import { sessionView } from "./session.js";

export default () => {
  const chat = chatStore();
  const begin = (model) => {
    model.on("msg:custom", chat.take);
    return () => model.off("msg:custom", chat.take);
  };
  return anchored((model) => panelView(model, chat), begin);
};

function panelView(model, chat) {
  const channel = channelOf(model);
  const view = sessionView(channel, chat);
  const draw = () => view.update(model.get("state"));
  model.on("change:state", draw);
  draw();
  const close = () => {
    model.off("change:state", draw);
    view.close();
    channel.close();
  };
  return { el: quietKeys(h("div", { class: "dv-live" }, view.el)), close };
}
