// The page of the server. Everything that a model, a link or a person says goes into the page as text, never as HTML.

const MOST_PLACES = 6;
const NONE = "none";
const TOKENS = 60;
const TEMPERATURE = 0.7;
const BARS = 10;
const TYPING_MS = 250;
const FULL_NATS = 4; // the deepest colour
const FIRST = { headline: "Parliament passes the budget", places: ["ng", "gb", "us", "in", "za", NONE], guidance: 1, seed: 1 };

const byId = (id) => document.getElementById(id);
const region = new Intl.DisplayNames(["en"], { type: "region", fallback: "none" });
const state = { headline: "", places: [], guidance: 1, seed: 1 };
const written = new Map(); // what was asked -> promise of the answer
const running = new Map(); // place -> what its column waits for
let model = "";
let known = new Set(); // countries that the server lists
let locating = null;
let shownHash = "";

function make(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function later(milliseconds, action) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, milliseconds);
  };
}

function nameOf(place) {
  if (place === NONE) return "No place";
  return (/^[a-z]{2}$/.test(place) && region.of(place.toUpperCase())) || place;
}

// ---------------------------------------------------------------- the server

async function ask(path, body, signal) {
  let answer;
  try {
    answer = await fetch(path, body && {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is it still running?");
  }
  let said = null;
  try {
    said = await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
  }
  if (answer.ok && said) return said;
  const message = said?.error?.message ?? `the server answers with status ${answer.status}`;
  throw new Error(message.charAt(0).toUpperCase() + message.slice(1) + ".");
}

function write(place) {
  const asked = {
    model, prompt: state.headline, places: [place], guidance: state.guidance, seed: state.seed,
    max_tokens: TOKENS, temperature: TEMPERATURE,
  };
  const key = JSON.stringify(asked);
  if (!written.has(key)) {
    if (written.size > 200) written.clear();
    const answer = ask("v1/compare", asked).then((said) => said.data[0].continuations[0]);
    answer.catch(() => written.delete(key));
    written.set(key, answer);
  }
  return [key, written.get(key)];
}

// ---------------------------------------------------------------- texts under places

function columnOf(place) {
  return [...byId("columns").children].find((one) => one.dataset.place === place);
}

function newColumn(place) {
  const column = make("article", "column");
  column.dataset.place = place;
  const head = make("header");
  const remove = make("button", "remove", "\u00d7");
  remove.type = "button";
  remove.setAttribute("aria-label", `Remove ${nameOf(place)}`);
  remove.addEventListener("click", () => toggle(place));
  head.append(make("h3", "", nameOf(place)), remove);
  column.append(head, make("div", "body"));
  return column;
}

function showText(column, place, continuation) {
  const text = make("p", "text");
  text.tabIndex = 0;
  text.setAttribute("aria-label", `Text under ${nameOf(place)}; arrow keys go from token to token`);
  let opened = false; // blanks in front of the first word are left out
  for (const [piece, nats] of continuation.gains) {
    const shown = opened ? piece : piece.trimStart();
    if (!shown) continue;
    const word = shown.trimStart();
    if (word && opened) text.append(shown.slice(0, shown.length - word.length)); // a blank has no colour at the end of a line
    opened = true;
    const token = make("span", "token", word || shown);
    token.dataset.nats = String(nats);
    token.dataset.place = place;
    if (place !== NONE && Math.abs(nats) >= 0.1) {
      token.classList.add(nats > 0 ? "more" : "less");
      token.style.setProperty("--share", `${Math.round(70 * Math.min(1, Math.abs(nats) / FULL_NATS))}%`);
    }
    text.append(token);
  }
  if (opened && continuation.finish === "length") text.append("\u2009\u2026");
  if (!opened) text.append(make("span", "wait", "(The model ends the text at once.)"));
  column.querySelector(".body").replaceChildren(text);
}

async function fill(place) {
  const column = columnOf(place);
  const body = column.querySelector(".body");
  if (!state.headline.trim()) {
    running.delete(place);
    body.replaceChildren(make("p", "wait", "Type a headline."));
    return;
  }
  const [key, answer] = write(place);
  running.set(place, key);
  const old = body.querySelector(".text");
  if (old) old.classList.add("old");
  else body.replaceChildren(make("p", "wait", "Writing \u2026"));
  try {
    const said = await answer;
    if (running.get(place) === key) showText(column, place, said);
  } catch (error) {
    if (running.get(place) === key) body.replaceChildren(make("p", "problem", error.message));
  }
}

function showColumns() {
  hideTip();
  const columns = byId("columns");
  for (const column of [...columns.children]) {
    if (!state.places.includes(column.dataset.place)) {
      running.delete(column.dataset.place);
      column.remove();
    }
  }
  state.places.forEach((place, at) => {
    const column = columnOf(place) ?? newColumn(place);
    if (columns.children[at] !== column) columns.insertBefore(column, columns.children[at] ?? null);
  });
  return Promise.all(state.places.map(fill));
}

function say(message) {
  byId("notice").textContent = message;
  byId("notice").hidden = !message;
}

function toggle(place) {
  say("");
  if (state.places.includes(place)) state.places = state.places.filter((one) => one !== place);
  else if (state.places.length < MOST_PLACES) state.places = [...state.places, place];
  else say(`At most ${MOST_PLACES} places fit side by side. Remove one first.`);
  refresh();
}

function refresh() {
  markMap();
  putHash();
  showColumns();
}

// ---------------------------------------------------------------- numbers of a token

function describe(token) {
  const nats = Number(token.dataset.nats);
  const word = `\u201c${token.textContent.trim() || "\u23b5"}\u201d`;
  if (token.dataset.place === NONE) return `${word}: no place was given, so there is nothing to compare with.`;
  const times = Math.exp(Math.abs(nats));
  const shown = times >= 10_000 ? times.toExponential(0) : times >= 10 ? times.toFixed(0) : times.toFixed(1);
  const place = nameOf(token.dataset.place);
  const signed = `${nats < 0 ? "\u2212" : "+"}${Math.abs(nats).toFixed(2)} nats`;
  if (times < 1.05) return `${word}: as likely under ${place} as with no place (${signed}).`;
  return `${word}: ${shown} times ${nats > 0 ? "likelier" : "less likely"} under ${place} than with no place (${signed}).`;
}

function showTip(token) {
  const tip = byId("tip");
  for (const one of document.querySelectorAll(".token.at")) one.classList.remove("at");
  token.classList.add("at");
  tip.textContent = describe(token);
  tip.hidden = false;
  const box = token.getClientRects()[0];
  const left = Math.max(8, Math.min(box.left, innerWidth - tip.offsetWidth - 8));
  const above = box.top - tip.offsetHeight - 6;
  tip.style.setProperty("--x", `${left}px`);
  tip.style.setProperty("--y", `${above < 4 ? box.bottom + 6 : above}px`);
}

function hideTip() {
  byId("tip").hidden = true;
  for (const one of document.querySelectorAll(".token.at")) one.classList.remove("at");
}

function walkTokens(event) {
  const text = event.target.closest(".text");
  if (!text) return;
  const tokens = [...text.querySelectorAll(".token")];
  const at = tokens.findIndex((one) => one.classList.contains("at"));
  const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: tokens.length - 1 }[event.key];
  if (event.key === "Escape") hideTip();
  if (to === undefined || !tokens.length) return;
  event.preventDefault();
  const token = tokens[Math.max(0, Math.min(tokens.length - 1, to))];
  token.scrollIntoView({ block: "nearest" });
  showTip(token);
}

// ---------------------------------------------------------------- map and posterior

async function drawMap() {
  const rows = (await (await fetch("page/tiles.txt")).text()).trim().split("\n").map((row) => row.split(" "));
  const map = byId("map");
  map.style.setProperty("--columns", rows[0].length);
  const tiles = [];
  rows.forEach((row, y) => row.forEach((code, x) => {
    if (code === "..") return;
    const tile = make("button", known.has(code) ? "known" : "", code.toUpperCase());
    tile.type = "button";
    tile.dataset.place = code;
    tile.dataset.x = x;
    tile.dataset.y = y;
    tile.tabIndex = -1;
    tile.style.gridColumn = x + 1;
    tile.style.gridRow = y + 1;
    tile.addEventListener("click", () => toggle(code));
    tiles.push(tile);
  }));
  map.replaceChildren(...tiles);
  (tiles.find((one) => known.has(one.dataset.place)) ?? tiles[0]).tabIndex = 0;
  const options = tiles.map((one) => one.dataset.place).map((code) => [nameOf(code), code]);
  options.sort(([a], [b]) => a.localeCompare(b));
  byId("places").replaceChildren(...[["No place", NONE], ...options].map(([name]) => {
    const option = make("option");
    option.value = name;
    return option;
  }));
  named = new Map([["no place", NONE], ...options.map(([name, code]) => [name.toLowerCase(), code])]);
  markMap();
}

let named = new Map();

function markMap() {
  for (const tile of byId("map").children) {
    const chosen = state.places.includes(tile.dataset.place);
    tile.setAttribute("aria-pressed", String(chosen));
    const share = Number(tile.dataset.share ?? 0);
    const likely = share >= 0.01 ? `, ${percent(share)} of the posterior` : "";
    tile.setAttribute("aria-label", nameOf(tile.dataset.place) + likely);
    tile.title = nameOf(tile.dataset.place) + likely;
  }
}

function walkMap(event) {
  const move = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
  const from = event.target.closest("button");
  if (!move || !from) return;
  event.preventDefault();
  const [dx, dy] = move;
  let best = null;
  let least = Infinity;
  for (const tile of byId("map").children) {
    const x = tile.dataset.x - from.dataset.x;
    const y = tile.dataset.y - from.dataset.y;
    const ahead = x * dx + y * dy;
    const aside = Math.abs(x * dy) + Math.abs(y * dx);
    const cost = ahead + 2.5 * aside;
    if (ahead > 0 && cost < least) [best, least] = [tile, cost];
  }
  if (!best) return;
  from.tabIndex = -1;
  best.tabIndex = 0;
  best.focus();
}

function percent(share) {
  if (share < 0.01) return "<1%";
  return share > 0.99 && share < 1 ? ">99%" : `${(100 * share).toFixed(0)}%`;
}

function showPosterior(posterior) {
  const ranked = Object.entries(posterior).sort(([, a], [, b]) => b - a);
  byId("bars").replaceChildren(...ranked.slice(0, BARS).map(([country, share]) => {
    const bar = make("li");
    const track = make("span", "track");
    track.append(make("span", "fill"));
    track.firstChild.style.setProperty("--share", `${100 * share}%`);
    bar.append(make("span", "name", nameOf(country)), track, make("span", "share", percent(share)));
    return bar;
  }));
  for (const tile of byId("map").children) {
    const share = posterior[tile.dataset.place] ?? 0;
    tile.dataset.share = share;
    tile.style.setProperty("--share", `${Math.round(100 * Math.sqrt(share))}%`);
  }
  markMap();
}

async function locate() {
  locating?.abort();
  locating = new AbortController();
  const { signal } = locating;
  if (!state.headline.trim()) {
    showPosterior({});
    byId("bars").replaceChildren(make("li", "wait", "Type a headline, and the model says where it comes from."));
    return;
  }
  try {
    const said = await ask("v1/locate", { model, input: state.headline }, signal);
    if (!signal.aborted) showPosterior(said.data[0].posterior);
  } catch (error) {
    if (signal.aborted) return;
    showPosterior({});
    byId("bars").replaceChildren(make("li", "problem", error.message));
  }
}

// ---------------------------------------------------------------- the link

function putHash() {
  const link = new URLSearchParams({ h: state.headline, p: state.places.join(","), g: state.guidance, s: state.seed });
  shownHash = `#${link}`;
  history.replaceState(null, "", shownHash);
}

function readHash() {
  const link = new URLSearchParams(location.hash.slice(1));
  const number = (name, least, most, otherwise) => {
    const value = Number.parseFloat(link.get(name) ?? "");
    return value >= least && value <= most ? value : otherwise;
  };
  state.headline = (link.get("h") ?? FIRST.headline).slice(0, 400);
  const places = link.has("p") ? link.get("p").split(",").filter(Boolean) : FIRST.places;
  state.places = [...new Set(places.map((one) => one.slice(0, 200)))].slice(0, MOST_PLACES);
  state.guidance = number("g", 0, 3, FIRST.guidance);
  state.seed = Math.round(number("s", 0, 2 ** 31, FIRST.seed));
}

function showState() {
  byId("headline").value = state.headline;
  byId("guidance").value = state.guidance;
  showStrength();
  locate();
  refresh();
}

function showStrength() {
  const value = Number(byId("guidance").value);
  byId("strength").textContent = value.toFixed(2).replace(/\.?0+$/, "");
  byId("guidance").setAttribute("aria-valuetext", `${value}${value === 0 ? ", no place" : value === 1 ? ", as trained" : ""}`);
}

async function copyLink() {
  const button = byId("copy");
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
  } catch {
    say(`The browser does not let a page copy here. The link is in the address bar: ${location.href}`);
  }
  setTimeout(() => { button.textContent = "Copy link"; }, 1500);
}

// ---------------------------------------------------------------- what a person does

const soonLocate = later(TYPING_MS, locate);
const soonRefresh = later(TYPING_MS, refresh);

function listen() {
  byId("headline").addEventListener("input", () => {
    state.headline = byId("headline").value;
    soonLocate();
  });
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    say("");
    state.headline = byId("headline").value;
    refresh();
  });
  byId("adding").addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = byId("place").value.trim();
    const place = named.get(typed.toLowerCase()) ?? typed.toLowerCase().replaceAll(",", " ");
    byId("place").value = "";
    if (place && !state.places.includes(place)) toggle(place);
  });
  byId("guidance").addEventListener("input", () => {
    state.guidance = Number(byId("guidance").value);
    showStrength();
    soonRefresh();
  });
  byId("again").addEventListener("click", () => {
    state.seed = (state.seed + 1) % 2 ** 31;
    refresh();
  });
  byId("copy").addEventListener("click", copyLink);
  byId("map").addEventListener("keydown", walkMap);
  const columns = byId("columns");
  columns.addEventListener("keydown", walkTokens);
  columns.addEventListener("pointerover", (event) => event.target.matches(".token") && showTip(event.target));
  columns.addEventListener("click", (event) => event.target.matches(".token") && showTip(event.target));
  columns.addEventListener("pointerleave", hideTip);
  columns.addEventListener("focusout", hideTip);
  addEventListener("scroll", () => {
    const token = document.querySelector(".token.at");
    if (token) showTip(token);
  }, { passive: true });
  addEventListener("hashchange", () => {
    if (location.hash === shownHash) return;
    readHash();
    showState();
  });
}

async function start() {
  readHash();
  listen();
  try {
    const names = (await ask("v1/models")).data.map((one) => one.id);
    model = names[0];
    byId("model").textContent = model;
    document.title = `${model} \u2013 Dateline`;
    known = new Set(names.slice(1).map((one) => one.slice(model.length + 1)).filter((one) => /^[a-z]{2}$/.test(one)));
    if (!known.size) say("This model was trained without places, so it writes without one only.");
    await drawMap();
  } catch (error) {
    say(error.message);
    return;
  }
  showState();
}

start();
