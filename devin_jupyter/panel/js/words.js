// Numbers and times in words. Pure.

export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min${minutes < 10 && whole % 60 ? ` ${whole % 60} s` : ""}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
  return `${Math.floor(hours / 24)} days`;
}

export function ago(at, now) {
  const seconds = Math.max(0, now - at);
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${Math.round(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} days ago`;
}

// A time in a list that counts from its start.
export function elapsed(at, start) {
  return `+${duration(Math.max(0, at - start))}`;
}

export function clock(at) {
  return new Date(at * 1000).toLocaleString(undefined, {
    year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
}

export function day(at) {
  return new Date(at * 1000).toLocaleString(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
}

export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

export function number(value) {
  return value.toLocaleString("en", { maximumFractionDigits: 2 });
}

export function plural(count, noun) {
  return `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
}

// The words that tick: how long the turn has been running, or took, and when Devin last said something.
export function tempo(state, now) {
  if (state.turn_over) return state.took === null ? "" : duration(state.took);
  if (!state.started) return "";
  const said = state.last_word > state.started && !state.live?.activity ? ` · last message ${ago(state.last_word, now)}` : "";
  return `running ${duration(now - state.started)}${said}`;
}

export function trouble(state, now) {
  if (!state.trouble) return "";
  const { seen, problem } = state.trouble;
  return ["reconnecting", seen ? `, last seen ${ago(seen, now)}` : ", not seen yet", problem ? ` (${problem})` : ""].join("");
}
