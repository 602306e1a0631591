// One item after the other: a key decides, saves and moves on; the server follows when it can.
//
// Python sends `data` (see component.py); this file sends back one state, the outbox: everything
// that the server has not acknowledged. So nothing is lost when a message is, and a resent event
// is known by its uid. Texts of papers reach the page through textContent alone.

const PANELS = new WeakMap();
const RESEND_MS = 3000; // without an answer the outbox is sent again
const LATE_MS = 1500; // from then on the reviewer is told that saving takes long
const TOLD_MS = 6000; // that a message stays over the text
const ROLES = ["source", "target", "mention"];
const CHOICES = 12; // of the type-ahead
const UNNAMED = "not named in the text"; // as annotate/naming.py calls what stands for unnamed data
const PAST = 20; // decisions that are listed, as many as desk.py tells of

// name, key, label, group. "c" and "r" are Streamlit's own.
const ACTIONS = [
  ["accept", "a", "Accept", "verdict"],
  ["reject", "x", "Reject", "verdict"],
  ["done", "f", "Finished", "verdict"],
  ["source", "s", "Source", "role"],
  ["target", "t", "Target", "role"],
  ["mention", "m", "Mention", "role"],
  ["other", "d", "Other dataset", "more"],
  ["add", "i", "Add missed", "more"],
  ["note", "n", "Note", "more"],
  ["skip", "k", "Skip", "more"],
  ["undo", "u", "Undo", "more"],
  ["back", "b", "Back", "more"],
  ["open", "o", "Open paper", "help"],
  ["guide", "g", "Guidelines", "help"],
  ["help", "?", "Keys", "help"],
];
const RESERVED = ["c", "r"];

export default function ({ parentElement, data, setStateValue }) {
  let panel = PANELS.get(parentElement);
  if (!panel) PANELS.set(parentElement, (panel = new Panel(parentElement, data)));
  panel.serve(data, setStateValue);
  return () => {
    panel.close();
    PANELS.delete(parentElement);
  };
}

/** What is decided and not yet acknowledged; in localStorage one entry an event, so that tabs do
 * not overwrite each other. */
class Outbox {
  constructor(prefix) {
    this.prefix = prefix;
    this.events = new Map();
    this.isSafe = true;
    for (const name of Object.keys(this.storage() ?? {})) {
      if (name.startsWith(prefix)) this.take(name, this.storage().getItem(name));
    }
  }

  storage() {
    try {
      return window.localStorage;
    } catch {
      this.isSafe = false; // the browser forbids it: nothing outlives this tab
      return null;
    }
  }

  /** Hold the event of an entry as it is in localStorage; null if it is none. */
  take(name, text) {
    try {
      const event = JSON.parse(text);
      if (this.prefix + event.uid !== name) return null;
      this.events.set(event.uid, event);
      return event;
    } catch {
      return null;
    }
  }

  add(event) {
    this.events.set(event.uid, event);
    try {
      this.storage()?.setItem(this.prefix + event.uid, JSON.stringify(event));
    } catch {
      this.isSafe = false; // full: the event still goes out from memory
    }
  }

  forget(uid) {
    this.events.delete(uid);
    this.storage()?.removeItem(this.prefix + uid);
  }

  inOrder() {
    return [...this.events.values()].sort((a, b) => a.made - b.made);
  }
}

/** Which key does what, as the reviewer wants it. */
class Keys {
  constructor() {
    this.read();
  }

  read() {
    let own = {};
    try {
      own = JSON.parse(localStorage.getItem("cats-keys")) ?? {};
    } catch {
      // unreadable or forbidden: the defaults
    }
    this.isOn = own.isOn !== false;
    this.of = Object.fromEntries(
      ACTIONS.map(([name, key]) => [name, own.of?.[name] ?? key]),
    );
  }

  write() {
    try {
      localStorage.setItem("cats-keys", JSON.stringify({ isOn: this.isOn, of: this.of }));
    } catch {
      // lasts as long as this tab
    }
  }

  action(key) {
    return ACTIONS.find(([name]) => this.of[name] === key)?.[0];
  }

  /** Give an action a key; the action that had it takes the old one. */
  set(action, key) {
    const holder = this.action(key);
    if (holder) this.of[holder] = this.of[action];
    this.of[action] = key;
    this.write();
  }

  reset() {
    this.of = Object.fromEntries(ACTIONS.map(([name, key]) => [name, key]));
    this.isOn = true;
    this.write();
  }
}

class Panel {
  constructor(root, data) {
    this.root = root;
    this.at = {};
    for (const node of root.querySelectorAll("[data-at]")) this.at[node.dataset.at] = node;
    this.section = root.querySelector(".panel");
    this.keys = new Keys();
    this.outbox = new Outbox(`cats-outbox:${data.survey}:${data.reviewer}:`);
    this.items = new Map(); // id -> item
    this.order = []; // ids as the server ranks them
    this.front = []; // ids that were undone and come first
    this.gone = new Map(); // id -> uid of the decision that the server may not know yet
    this.known = new Map(); // uid -> standing decision that the server told of
    this.notes = new Map(); // what it is on -> note that waits for a decision; see `subject`
    this.range = null; // what is selected in the text, also while a field has the selection
    this.looking = data.look ?? null; // id of a paper looked at out of turn, mostly a closed one
    this.current = this.looking;
    this.last = 0; // time of the last event, so that no two share one
    this.sent = 0;
    this.answered = 0;
    for (const event of this.outbox.inOrder()) this.apply(event, { isOwn: true });
    this.buttons();
    this.listen();
  }

  // --- between server and page ---------------------------------------------------------------

  serve(data, setStateValue) {
    this.data = data;
    this.setState = setStateValue;
    this.answered = Math.max(this.answered, data.answered ?? 0);
    if (data.catalogue) this.catalogue = indexed(data.catalogue);
    if (data.catalogue && this.at.picker.open) this.search(); // opened before it came
    this.codebook = data.codebook ?? this.codebook;
    for (const uid of data.saved) this.saved(uid);
    for (const made of data.past) this.known.set(made.uid, made);
    for (const { uid } of data.refused) {
      this.outbox.forget(uid);
      for (const [id, held] of this.gone) if (held === uid) this.gone.delete(id);
    }
    // What is still in front once its undo is stored belongs to another queue.
    const undoing = new Set(this.outbox.inOrder().filter(({ undoes }) => undoes).map(({ item }) => item));
    for (const item of data.items) {
      this.items.set(item.id, item);
      for (const made of item.made) this.known.set(made.uid, made);
    }
    this.order = data.order;
    const ranked = new Set(this.order);
    for (const [id, uid] of this.gone) {
      if (!ranked.has(id) && !this.outbox.events.has(uid)) this.gone.delete(id);
    }
    this.front = this.front.filter((id) => undoing.has(id) && !ranked.has(id));
    this.forgetOld(ranked);
    this.theme();
    const isAbsent = this.looking !== null && data.absent === this.looking;
    if (isAbsent) this.looking = this.current = null;
    this.settle();
    if (isAbsent) this.tell(`${data.absent.split("|")[0]} is no paper of this queue that you may look at.`);
    const isWanting = this.wanted().length > 0 || !this.catalogue || !this.codebook;
    if (data.error) this.again();
    else if (this.outbox.events.size || isWanting) this.send();
  }

  saved(uid) {
    const event = this.outbox.events.get(uid);
    if (event?.verdict === "undo") this.known.delete(event.undoes);
    else if (event && event.verdict !== "note") this.known.set(uid, event);
    this.outbox.forget(uid);
  }

  /** Items are held a while after their decision, so that an undo is as fast as a key. */
  forgetOld(ranked) {
    for (const id of this.items.keys()) {
      if (this.items.size <= 200) return;
      if (!ranked.has(id) && id !== this.current) this.items.delete(id);
    }
  }

  wanted() {
    const ids = this.looking === null ? this.order : [this.looking, ...this.order];
    return ids.filter((id) => !this.items.has(id));
  }

  send() {
    clearTimeout(this.timer);
    if (this.answered >= this.sent) this.askedAt = performance.now();
    this.sent += 1;
    this.setState("outbox", {
      sent: this.sent,
      events: this.outbox.inOrder(),
      held: [...this.items.keys()],
      look: this.items.has(this.looking) ? null : this.looking,
      lacks: [...(this.catalogue ? [] : ["catalogue"]), ...(this.codebook ? [] : ["codebook"])],
    });
    this.again();
  }

  /** Send unless an answer is on its way: what is made meanwhile goes with the next message. */
  flush() {
    if (this.answered >= this.sent) this.send();
  }

  /** Look after a while whether there was an answer, and send again if not. */
  again() {
    clearTimeout(this.timer);
    clearTimeout(this.late);
    this.late = setTimeout(() => this.saving(), LATE_MS);
    this.timer = setTimeout(() => {
      if (this.outbox.events.size || this.answered < this.sent) this.send();
      this.saving();
    }, RESEND_MS);
  }

  // --- decisions -----------------------------------------------------------------------------

  /** What an event does to the queue; what another tab undoes does not come before all else. */
  apply(event, { isOwn }) {
    this.last = Math.max(this.last, event.made);
    if (["add", "note"].includes(event.verdict) || event.adds) return;
    this.front = this.front.filter((id) => id !== event.item);
    if (event.verdict !== "undo") {
      for (const id of [event.item, event.settles ?? event.item]) this.gone.set(id, event.uid);
    } else {
      for (const [id, uid] of this.gone) if (uid === event.undoes) this.gone.delete(id);
      this.gone.delete(event.item);
      if (isOwn) this.front = [event.item, ...this.front];
    }
  }

  make(verdict, item, fields) {
    this.last = Math.max(Date.now(), this.last + 1);
    const event = { uid: uid(), verdict, item: item.id, work: item.work, made: this.last, ...fields };
    this.outbox.add(event); // before anything is painted
    this.apply(event, { isOwn: true });
    return event;
  }

  /** What goes with any decision on an item. */
  about(item, note) {
    return { token: item.token, title: plain(item.title), ...(note ? { note } : {}) };
  }

  /** The notes on an item, which go with the decision that leaves it. */
  takeNotes(item) {
    const own = [...this.notes].filter(([, note]) => note.item === item.id);
    for (const [key] of own) this.notes.delete(key);
    return own.map(([, { words, text }]) => (words ? `“${words}”: ${text}` : text)).join("; ");
  }

  decide(verdict, decided = {}) {
    const item = this.items.get(this.current);
    if (!item) return;
    if (this.isClosed(item)) return this.goOn(item);
    this.looking = null;
    const { dataset, role } = { dataset: item.dataset, role: item.role, ...decided };
    // An adjudicator's edit settles two disputes: it says no to the item, and yes to this one.
    const settles = item.others.length ? { settles: `${item.work}|${dataset}|${role}` } : {};
    this.make(verdict, item, {
      dataset, role, ...settles, ...this.about(item, this.takeNotes(item)), shown_ms: this.shownMs(),
    });
    this.settle();
    this.afterPaint();
  }

  /** This reviewer has closed the paper: it can be changed, and stays closed. */
  isClosed(item) {
    const closes = ({ verdict, elsewhere }) => verdict === "done" && !elsewhere;
    return item.kind === "paper" && this.past().some((made) => closes(made) && made.item === item.id);
  }

  /** Leave a closed paper: what was changed in it is stored already, but for a note on it. */
  goOn(item) {
    const note = this.takeNotes(item);
    if (note) this.make("note", item, this.about(item, note));
    this.looking = this.current = null;
    this.settle();
    this.afterPaint();
  }

  /** Show a paper out of turn. */
  look(id) {
    this.looking = this.current = id;
    this.settle();
    if (!this.items.has(id)) this.flush();
  }

  /** Look at the paper that was closed last; from there at the one before. */
  back() {
    const closed = this.past().filter(({ verdict, elsewhere }) => verdict === "done" && !elsewhere).map(({ item }) => item);
    const at = closed.indexOf(this.current);
    const id = at < 0 ? closed.at(-1) : closed[at - 1];
    if (id === undefined) return this.tell("There is no earlier paper; the address can name one: paper=W123.");
    this.look(id);
  }

  /** On a claim a role decides: the proposed one accepts, another one corrects. On a whole paper
   * it adds what is selected. */
  role(role) {
    const item = this.items.get(this.current);
    if (!item) return;
    if (item.kind === "paper") this.addSelected(role);
    else this.decide(role === item.role ? "accept" : "edit", { role });
  }

  undo() {
    const last = this.past().filter(({ elsewhere }) => !elsewhere).at(-1);
    if (!last) return this.tell("There is nothing to undo.");
    this.takeBack(last);
  }

  takeBack(event) {
    const adds = event.verdict === "add";
    this.make("undo", { id: event.item, work: event.work }, { undoes: event.uid, adds });
    this.known.delete(event.uid);
    if (event.note && !this.notes.has(event.item)) {
      this.notes.set(event.item, { key: event.item, item: event.item, text: event.note });
    }
    if (!adds) {
      this.current = event.item;
      this.looking = this.drawn = null;
    }
    this.settle();
    this.redrawUses();
    this.afterPaint();
  }

  /** This reviewer's standing decisions, oldest first: those the server told, then the outbox. */
  past() {
    const list = new Map(this.known);
    for (const event of this.outbox.inOrder()) {
      if (event.verdict === "undo") list.delete(event.undoes);
      else if (event.verdict !== "note") list.set(event.uid, event);
    }
    return [...list.values()].sort((a, b) => a.made - b.made);
  }

  /** What is on the screen stays until it is decided, so that no key meets another item than the
   * one that was seen; then the first of the queue follows. */
  settle() {
    const queue = this.queue();
    const isLookedAt = this.looking !== null && this.looking === this.current;
    const stays = this.current !== null && !this.gone.has(this.current);
    const isHere = stays && (this.items.has(this.current) || queue.includes(this.current));
    const isShown = isLookedAt || isHere;
    if (!isShown) this.current = queue[0] ?? null;
    const isNew = this.drawn !== this.current || this.isBlank;
    if (isNew) this.draw();
    this.figures();
    if (isNew) this.toEvidence(); // last: it asks for places, and so lays the page out
  }

  queue() {
    const all = [...this.front, ...this.order.filter((id) => !this.front.includes(id))];
    return all.filter((id) => !this.gone.has(id));
  }

  /** Send once the next item is drawn, since Streamlit's own work would come before it; a tab that
   * nobody sees draws nothing, so soon in any case. */
  afterPaint() {
    requestAnimationFrame(() => setTimeout(() => this.flush(), 0));
    setTimeout(() => this.outbox.events.size && this.flush(), 100);
  }

  shownMs() {
    return Math.round(performance.now() - this.shownSince);
  }

  // --- drawing -------------------------------------------------------------------------------

  draw() {
    const item = this.items.get(this.current);
    this.drawn = this.current;
    this.isBlank = this.current !== null && !item;
    this.section.dataset.item = item ? item.id : "";
    this.section.classList.toggle("empty", !item);
    this.shownSince = performance.now();
    if (this.range) this.selection()?.removeAllRanges(); // a browser may hold on to text that is gone
    this.range = null;
    this.at.told.textContent = "";
    this.question(item);
    this.at.title.replaceChildren(...(item ? marked(item.title) : []));
    this.heading(item);
    this.text(item);
    this.others(item);
    this.uses(item);
    this.at.note.hidden = true;
    this.listNotes();
    this.arm(item);
    if (this.current === null) this.say("Nothing waits for your decision.");
    if (item) this.say(this.spokenOf(item));
  }

  question(item) {
    const parts = [];
    if (!item) parts.push(this.isBlank ? "Bringing it back …" : "Nothing waits for your decision.");
    else if (this.isClosed(item)) {
      parts.push("You closed this paper. Changes count at once;");
      parts.push(node("kbd", this.keys.of.done), "goes on.");
    } else {
      parts.push(item.ask[0], item.dataset && node("b", item.dataset, "name"), item.ask[1]);
      if (item.role) parts.push(node("b", item.role, `role ${item.role}`), "?");
      if (item.how) parts.push(node("small", item.how));
    }
    this.at.question.replaceChildren(...parts.filter(Boolean).flatMap((part) => [part, " "]));
  }

  heading(item) {
    const parts = item ? [item.about] : [];
    if (item?.link) {
      const link = node("a", item.linkText);
      link.href = item.link;
      link.target = "_blank";
      link.rel = "noopener noreferrer";
      parts.push(" · ", link);
    }
    this.at.about.replaceChildren(...parts);
  }

  text(item) {
    const blocks = (item?.passages ?? []).flatMap((passage) => {
      const text = node("p", "", "passage");
      text.dir = "auto";
      text.dataset.section = passage.section;
      text.dataset.order = passage.order;
      text.append(...marked(passage.text));
      return [node("h4", passage.label), text];
    });
    this.at.text.replaceChildren(...blocks);
  }

  toEvidence() {
    const evidence = this.at.text.querySelector(".evidence, .own");
    const place = evidence ? evidence.offsetTop - this.at.text.clientHeight / 3 : 0;
    this.at.text.scrollTop = Math.max(0, place);
  }

  /** The claims on the paper with what this reviewer made of them, and what was added. */
  uses(item) {
    const made = this.past().filter((event) => event.work === item?.work);
    const states = new Map(made.map((event) => [event.item, STATES[event.verdict]]));
    const rows = (item?.uses ?? []).map((use) => this.use(use, states.get(use.id), item));
    for (const event of made) {
      if (event.verdict === "add" || event.verdict === "edit") rows.push(this.addedUse(event));
    }
    this.at.uses.replaceChildren(...rows);
    this.at.uses.closest("section").hidden = rows.length === 0;
  }

  use({ id, dataset, role, via }, state, item) {
    const row = node("li", "", state ?? "");
    row.append(node("bdi", dataset), " ", node("span", role, `role ${role}`));
    if (via) row.append(" ", node("small", `by ${via}`));
    if (state) row.append(" ", node("small", state));
    if (id && id === item.id) {
      row.classList.add("this");
      row.setAttribute("aria-current", "true");
    }
    return row;
  }

  addedUse(event) {
    const { dataset, role } = event;
    const row = this.use({ dataset, role }, "by you", {});
    if (event.note) row.append(" ", node("small", event.note));
    if (event.verdict !== "add") return row;
    const remove = node("button", "remove", "remove");
    remove.type = "button";
    remove.setAttribute("aria-label", `remove ${event.dataset} as ${event.role}`);
    remove.addEventListener("click", () => this.takeBack(event));
    row.append(" ", remove);
    return row;
  }

  redrawUses() {
    this.uses(this.items.get(this.current));
  }

  /** To an adjudicator: what people said, side by side. */
  others(item) {
    const said = item?.others ?? [];
    this.at.others.hidden = said.length === 0;
    this.at.said.replaceChildren(
      ...said.map(({ who, said, uses, notes }) => {
        const row = node("li", "");
        row.append(node("bdi", who), " ", node("b", said));
        if (uses.length) row.append(alsoSaid(uses));
        for (const { on, text } of notes) row.append(node("q", on ? `${on}: ${text}` : text));
        return row;
      }),
    );
  }

  figures() {
    const pending = this.outbox.inOrder();
    const counts = ({ verdict, elsewhere }) => this.data.counts.includes(verdict) && !elsewhere;
    const taken = pending.map(({ undoes }) => this.known.get(undoes)).filter(Boolean).filter(counts);
    const undone = new Set(pending.map(({ undoes }) => undoes));
    const fresh = pending.filter((event) => counts(event) && !undone.has(event.uid));
    const done = this.data.done + fresh.length - taken.length;
    this.section.dataset.ahead = this.wanted().length === 0 && this.catalogue ? "all" : "some";
    this.at.survey.textContent = this.data.title;
    this.at.done.textContent = done.toLocaleString("en");
    this.at.total.textContent = this.data.total.toLocaleString("en");
    const bar = this.root.querySelector(".bar");
    bar.setAttribute("aria-valuemax", String(this.data.total));
    bar.setAttribute("aria-valuenow", String(done));
    bar.firstElementChild.style.inlineSize = `${(100 * done) / Math.max(1, this.data.total)}%`;
    const { n, ms } = this.data.today;
    const isPaced = n >= 3 && ms > 0;
    this.at.pace.textContent = isPaced ? `${((n * 60000) / ms).toFixed(1)} a minute today` : "";
    this.at.stop.hidden = !this.data.stop;
    this.at.stop.textContent = this.data.stop ?? "";
    this.listPast();
    this.saving();
  }

  listPast() {
    const isHere = ({ verdict, elsewhere }) => VERBS[verdict] && !elsewhere;
    const shown = this.past().filter(isHere).slice(-PAST).reverse();
    this.at.past.replaceChildren(...shown.map((event) => this.pastRow(event)));
  }

  /** A decision, with the way back to it: a closed paper is opened, all else is taken back. */
  pastRow(event) {
    const { verdict, dataset, role, title, item } = event;
    const row = node("li", "", verdict);
    const isPaper = verdict === "done";
    const button = node("button", isPaper ? "open" : "undo", "remove");
    button.type = "button";
    const what = [VERBS[verdict], dataset, role && `as ${role}`, title].filter(Boolean).join(" ");
    button.setAttribute("aria-label", `${button.textContent}: ${what}`);
    button.addEventListener("click", () => (isPaper ? this.look(item) : this.takeBack(event)));
    row.append(node("b", VERBS[verdict]), " ");
    if (dataset) row.append(node("bdi", dataset), " ");
    if (role) row.append(node("span", role, `role ${role}`), " ");
    row.append(button, node("small", title ?? "", "clip"));
    return row;
  }

  saving() {
    const n = this.outbox.events.size;
    const isLate = n > 0 && this.answered < this.sent && performance.now() - this.askedAt >= LATE_MS;
    const kept = this.outbox.isSafe ? "kept in this browser" : "NOT kept if this tab closes";
    this.at.saved.textContent = n === 0 ? "all saved" : isLate || this.data.error ? `${n} not saved yet, ${kept}` : "saving …";
    this.at.saved.classList.toggle("late", isLate || Boolean(this.data.error && n));
    const refused = this.data.refused.map(({ reason }) => `One decision was refused: ${reason}`);
    const notices = [this.data.error, ...refused].filter(Boolean).join(" ");
    if (this.at.notice.textContent !== notices) this.at.notice.textContent = notices;
    this.at.notice.hidden = !notices;
  }

  say(text) {
    this.at.spoken.textContent = text;
  }

  /** Say it, and show it for a while or until the next item. */
  tell(text) {
    this.say(text);
    this.at.told.textContent = text;
    clearTimeout(this.telling);
    this.telling = setTimeout(() => (this.at.told.textContent = ""), TOLD_MS);
  }

  spokenOf(item) {
    const about = [item.ask[0], item.dataset, item.ask[1], item.role].filter(Boolean).join(" ");
    const said = [`${about}?`, item.how && `${item.how}.`, `${plain(item.title)}.`, item.evidence];
    return said.filter(Boolean).join(" ");
  }

  theme() {
    const shade = getComputedStyle(this.section).getPropertyValue("--st-background-color").trim();
    const rgb = shade.match(/^#(..)(..)(..)/)?.slice(1).map((part) => parseInt(part, 16));
    const [red, green, blue] = rgb ?? [255, 255, 255];
    const isDark = 0.3 * red + 0.6 * green + 0.1 * blue < 128;
    this.section.dataset.theme = isDark ? "dark" : "light";
  }

  // --- keys and buttons ----------------------------------------------------------------------

  buttons() {
    const groups = new Map();
    for (const [name, , label, group] of ACTIONS) {
      const button = node("button", "");
      button.type = "button";
      button.dataset.action = name;
      button.append(node("kbd", ""), node("span", label));
      button.addEventListener("click", () => this.act(name));
      if (!groups.has(group)) groups.set(group, node("div", "", `group ${group}`));
      groups.get(group).append(button);
    }
    this.at.keys.replaceChildren(...groups.values());
    this.label();
  }

  button(name) {
    return this.at.keys.querySelector(`[data-action=${name}]`);
  }

  label() {
    for (const [name, , label] of ACTIONS) {
      const key = this.keys.of[name];
      this.button(name).firstElementChild.textContent = key;
      this.button(name).setAttribute("aria-keyshortcuts", key);
      this.button(name).title = `${label} (${key})`;
    }
  }

  /** Which buttons this item can take: a whole paper is finished, a claim is accepted or not. */
  arm(item) {
    const isPaper = item?.kind === "paper";
    for (const [name, , , group] of ACTIONS) {
      if (group !== "help" && !["undo", "back"].includes(name)) this.button(name).disabled = !item;
    }
    for (const name of ["accept", "reject", "other"]) this.button(name).hidden = isPaper;
    this.button("done").hidden = !isPaper;
    this.button("back").hidden = !this.data.counts.includes("done");
    this.button("add").disabled = !item || item.kind === "name";
    this.button("open").disabled = !item?.link;
    for (const role of ROLES) this.button(role).classList.toggle("proposed", item?.role === role);
    this.armAdd();
  }

  act(name) {
    if (this.button(name).disabled || this.button(name).hidden) return;
    if (ROLES.includes(name)) this.role(name);
    else if (["accept", "reject", "done", "skip"].includes(name)) this.decide(name);
    else if (name === "undo") this.undo();
    else if (name === "back") this.back();
    else if (name === "other") this.pick("edit");
    else if (name === "add") this.pick("add");
    else if (name === "note") this.editNote();
    else if (name === "open") this.at.about.querySelector("a")?.click();
    else if (name === "guide") this.openGuide();
    else this.openKeys();
  }

  listen() {
    this.stop = new AbortController();
    const { signal } = this.stop;
    document.addEventListener("keydown", (event) => this.pressed(event), { signal });
    // A held Enter or space must not press a button again and again.
    this.root.addEventListener("keydown", (event) => {
      if (event.repeat && event.target.closest?.("button")) event.preventDefault();
      if (isField(event.target)) event.stopPropagation(); // Streamlit has keys of its own
    }, { signal });
    window.addEventListener("storage", (event) => this.elsewhere(event), { signal });
    document.addEventListener("selectionchange", () => this.armAdd(), { signal });
    for (const dialog of this.root.querySelectorAll("dialog")) {
      dialog.querySelector(".close")?.addEventListener("click", () => this.leave(dialog), { signal });
      dialog.addEventListener("keydown", (event) => {
        if (event.key !== "Escape" || event.isComposing) return;
        event.preventDefault();
        this.leave(dialog);
      }, { signal });
    }
    this.listenNote(signal);
    this.listenPicker(signal);
    this.listenKeys(signal);
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.late);
    clearTimeout(this.telling);
    this.stop.abort();
  }

  /** Close a dialog, and have the next key meet the panel at once: a browser takes the focus out of
   * a closed dialog only later. */
  leave(dialog) {
    dialog.close();
    const focused = this.root.activeElement;
    if (!focused || dialog.contains(focused)) this.section.focus({ preventScroll: true });
    this.reselect();
  }

  pressed(event) {
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.isComposing;
    if (!isPlain || event.repeat || event.defaultPrevented || !this.keys.isOn) return;
    if (isField(event.composedPath()[0]) || this.root.querySelector("dialog[open]")) return;
    const action = this.keys.action(event.key.length === 1 ? event.key.toLowerCase() : event.key);
    if (!action) return;
    event.preventDefault();
    this.act(action);
  }

  /** Another tab of this reviewer decided, or had its decision acknowledged. */
  elsewhere({ key, newValue }) {
    if (key === "cats-keys") return this.keys.read(), this.label();
    if (!key?.startsWith(this.outbox.prefix)) return;
    if (newValue === null) {
      this.saved(key.slice(this.outbox.prefix.length));
      this.figures();
      return;
    }
    const event = this.outbox.take(key, newValue);
    if (event) this.apply(event, { isOwn: false });
    this.settle();
  }

  // --- note ----------------------------------------------------------------------------------

  listenNote(signal) {
    const field = this.at.note.querySelector("input");
    field.addEventListener("input", () => {
      if (field.value.trim()) this.notes.set(this.noting.key, { ...this.noting, text: field.value.trim() });
      else this.notes.delete(this.noting.key);
      this.listNotes();
    }, { signal });
    field.addEventListener("blur", () => this.reselect(), { signal });
    field.addEventListener("keydown", (event) => {
      if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
      if (event.key === "Escape") this.notes.delete(this.noting.key);
      this.section.focus({ preventScroll: true });
      this.at.note.hidden = true;
      this.listNotes();
    }, { signal });
  }

  /** What a note made now is on: the selected words, else the item itself. A note on words goes
   * with what is added for them, and all others with the decision that leaves the item. */
  subject() {
    const selected = this.selected();
    return { key: noteKey(this.current, selected), item: this.current, words: selected?.surface };
  }

  editNote() {
    this.noting = this.subject();
    const { key, words } = this.noting;
    const isPaper = this.items.get(this.current)?.kind === "paper";
    const leaving = isPaper ? "closing the paper" : "your decision on the claim";
    const goesWith = words ? `what you add for these words, or else ${leaving}` : leaving;
    this.at.noteof.textContent = `Note on ${words ? `“${words}”` : isPaper ? "this paper" : "this claim"}, kept with ${goesWith}`;
    this.at.note.hidden = false;
    const field = this.at.note.querySelector("input");
    field.value = this.notes.get(key)?.text ?? "";
    field.focus();
  }

  /** The notes on this item that no decision has taken along yet. */
  listNotes() {
    const waiting = [...this.notes.values()].filter(({ item }) => item === this.current);
    this.at.noted.hidden = waiting.length === 0;
    this.at.notes.replaceChildren(
      ...waiting.map(({ words, text }) => {
        const row = node("li", "");
        if (words) row.append(node("bdi", `“${words}”`), " ");
        row.append(node("small", text));
        return row;
      }),
    );
  }

  // --- type-ahead ----------------------------------------------------------------------------

  armAdd() {
    this.button("add").classList.toggle("armed", this.selected() !== null);
  }

  selection() {
    return this.root.getSelection?.() ?? document.getSelection();
  }

  /** Hold what is selected: a field takes the browser's own selection away, and gives it back. */
  hold() {
    if (isField(this.root.activeElement) || this.root.querySelector("dialog[open]")) return;
    const selection = this.selection();
    const isSome = selection?.rangeCount && !selection.isCollapsed;
    this.range = isSome ? selection.getRangeAt(0).cloneRange() : null;
  }

  reselect() {
    if (!this.range) return;
    const { startContainer, startOffset, endContainer, endOffset } = this.range;
    this.selection()?.setBaseAndExtent(startContainer, startOffset, endContainer, endOffset);
  }

  /** The words selected in one passage, and where they stand in it, in characters as Python counts
   * them; null if nothing is selected. */
  selected() {
    this.hold();
    const range = this.range;
    if (!range) return null;
    const from = range.startContainer.parentElement?.closest("[data-section]");
    const to = range.endContainer.parentElement?.closest("[data-section]");
    if (!from || from !== to || !this.section.contains(from)) return null;
    const words = range.toString();
    const surface = words.trim();
    if (!surface || surface.length > 200) return null;
    const before = document.createRange();
    before.setStart(from, 0);
    before.setEnd(range.startContainer, range.startOffset);
    const start = nCharacters(before.toString() + words.slice(0, words.indexOf(surface)));
    const { section, order } = from.dataset;
    const end = start + nCharacters(surface);
    return { surface, span: { section, order: Number(order), start, end } };
  }

  /** Add what is selected at once where it is one dataset's name; else ask which one it is. */
  addSelected(role) {
    const selected = this.selected();
    const found = selected ? named(this.catalogue ?? [], selected.surface) : [];
    if (found.length === 1 && !found[0].role) this.add(found[0].id, role, selected);
    else this.pick("add", role);
  }

  add(dataset, role, selected) {
    const item = this.items.get(this.current);
    const fields = { dataset, role, ...selected?.span };
    if (this.isAdded(item, fields)) return this.tell(`${dataset} as ${role} is added already.`);
    const key = noteKey(item.id, selected);
    const note = selected ? this.notes.get(key)?.text : "";
    if (note) this.notes.delete(key);
    this.make("add", item, { ...fields, ...this.about(item, note) });
    this.at.note.hidden = true;
    this.listNotes();
    this.redrawUses();
    this.figures();
    this.tell(`Added ${dataset} as ${role}.`);
    this.afterPaint();
  }

  /** Whether this reviewer has added the same use at the same words, or both times at none. */
  isAdded(item, use) {
    const same = ["dataset", "role", "section", "order", "start", "end"];
    const isIt = (made) => same.every((name) => (made[name] ?? null) === (use[name] ?? null));
    return this.past().some((made) => made.verdict === "add" && made.work === item.work && isIt(made));
  }

  pick(verdict, role) {
    const item = this.items.get(this.current);
    if (!item) return;
    this.picks = verdict;
    this.words = verdict === "add" ? this.selected() : null;
    this.at.picking.textContent = verdict === "add" ? "Add a dataset that was missed" : "It is another dataset";
    const preset = role ?? (verdict === "add" ? null : item.role);
    for (const radio of this.radios()) radio.checked = radio.value === preset;
    const field = this.at.picker.querySelector("input");
    field.value = this.words?.surface ?? "";
    this.search();
    this.at.picker.showModal();
    field.focus();
    field.select();
  }

  radios() {
    return [...this.at.picker.querySelectorAll("[type=radio]")];
  }

  listenPicker(signal) {
    const picker = this.at.picker;
    const field = picker.querySelector("input");
    field.addEventListener("input", () => this.search(), { signal });
    picker.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && event.target === field) this.move(step);
      else if (event.key === "Enter") this.picked();
      else return;
      event.preventDefault();
    }, { signal });
    picker.addEventListener("click", ({ target }) => {
      const option = target.closest?.("[role=option]");
      if (!option) return;
      this.choose([...option.parentElement.children].indexOf(option));
      this.picked();
    }, { signal });
  }

  /** List what was typed may stand for. Enter takes the first: a whole name, or one that begins so.
   * Words of the text are no beginning: unless they are a name, they are first as written. */
  search() {
    const typed = this.at.picker.querySelector("input").value.trim();
    const known = this.catalogue ?? [];
    const isQuoted = typed === this.words?.surface;
    const hits = typed ? ranked(known, typed) : [];
    const isSure = ({ how }) => how < (isQuoted ? BEGINS : HOLDS);
    const sure = hits.filter(isSure).slice(0, CHOICES).map(({ entry }) => entry);
    const rest = hits.filter((hit) => !isSure(hit)).slice(0, CHOICES - sure.length).map(({ entry }) => entry);
    const isListed = sure.some(({ id }) => folded(id) === folded(typed));
    const asWritten = typed && !isListed ? [{ id: typed, about: "as written, not in the catalogue" }] : [];
    this.found = typed ? unique([...sure, ...asWritten, ...rest, ...known.filter(isUnnamed)]) : this.likely(known);
    const list = this.at.picker.querySelector("ul");
    list.replaceChildren(
      ...this.found.map((entry, n) => {
        const option = node("li", "", "");
        option.id = `cats-option-${n}`;
        option.setAttribute("role", "option");
        const about = entry.role && !isUnnamed(entry) ? `${entry.about}, as ${entry.role}` : entry.about;
        option.append(node("bdi", entry.id), " ", node("small", about));
        return option;
      }),
    );
    this.choose(0);
  }

  /** Before anything is typed: what stands for unnamed data, then what the paper uses elsewhere. */
  likely(known) {
    const item = this.items.get(this.current);
    const here = new Set(item.uses.map(({ dataset }) => dataset));
    const isOther = ({ id }) => id !== item.dataset;
    const used = known.filter((entry) => here.has(entry.id));
    return unique([...known.filter(isUnnamed), ...used]).filter(isOther).slice(0, CHOICES);
  }

  move(step) {
    this.choose((this.chosen + step + this.found.length) % Math.max(1, this.found.length));
  }

  choose(n) {
    this.chosen = n;
    // What a model implies is a source and nothing else.
    this.at.picker.querySelector("fieldset").disabled = Boolean(this.found[n]?.role);
    const options = this.at.picker.querySelectorAll("[role=option]");
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === n)));
    const field = this.at.picker.querySelector("input");
    if (options[n]) field.setAttribute("aria-activedescendant", options[n].id);
    else field.removeAttribute("aria-activedescendant");
    options[n]?.scrollIntoView({ block: "nearest" });
  }

  picked() {
    const entry = this.found[this.chosen];
    const item = this.items.get(this.current);
    if (!entry || !item) return;
    const role = entry.role || this.radios().find((radio) => radio.checked)?.value;
    if (!role) return this.radios()[0].focus();
    this.leave(this.at.picker);
    if (this.picks === "add") return this.add(entry.id, role, this.words);
    const isSame = entry.id === item.dataset && role === item.role;
    this.decide(isSame ? "accept" : "edit", { dataset: entry.id, role });
  }

  // --- keys and guidelines -------------------------------------------------------------------

  openKeys() {
    this.at.single.checked = this.keys.isOn;
    this.at.bindings.replaceChildren(
      ...ACTIONS.map(([name, , label]) => {
        const row = node("tr", "");
        const change = node("button", "change", "change");
        change.type = "button";
        change.setAttribute("aria-label", `change the key of ${label}`);
        change.addEventListener("click", () => this.rebind(name, change));
        row.append(node("td", label), cell(node("kbd", this.keys.of[name])), cell(change));
        return row;
      }),
    );
    if (!this.at.keysheet.open) this.at.keysheet.showModal();
  }

  rebind(name, button) {
    button.textContent = "press a key";
    button.addEventListener("keydown", (event) => {
      event.preventDefault();
      event.stopPropagation();
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      const isFree = key.length === 1 && key !== " " && !RESERVED.includes(key);
      if (isFree) this.keys.set(name, key);
      this.label();
      this.openKeys();
      const at = ACTIONS.findIndex(([action]) => action === name);
      const row = this.at.bindings.children[at];
      row.querySelector("button").focus();
      if (!isFree && key !== "Escape") row.querySelector("button").textContent = `“${key}” is taken by the page`;
    }, { once: true });
  }

  listenKeys(signal) {
    this.at.single.addEventListener("change", () => {
      this.keys.isOn = this.at.single.checked;
      this.keys.write();
    }, { signal });
    this.at.defaults.addEventListener("click", () => {
      this.keys.reset();
      this.label();
      this.openKeys();
    }, { signal });
  }

  openGuide() {
    if (!this.at.codebook.children.length) this.at.codebook.append(...written(this.codebook ?? ""));
    this.at.guide.showModal();
  }
}

const VERBS = { accept: "yes", reject: "no", edit: "is", add: "added", skip: "skipped", done: "finished" };
const STATES = { accept: "yes", reject: "no", edit: "no", skip: "skipped" };

function noteKey(id, selected) {
  return selected ? `${id} ${JSON.stringify(selected.span)}` : id;
}

/** Tag name, text, class. */
function node(name, text, css = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (css) made.className = css;
  return made;
}

function cell(content) {
  const made = node("td", "");
  made.append(content);
  return made;
}

/** What else a person says that the paper uses. */
function alsoSaid(uses) {
  const row = node("p", "in this paper:");
  for (const { dataset, role } of uses) row.append(" ", node("bdi", dataset), " ", node("span", role, `role ${role}`));
  return row;
}

/** Runs [text, classes] as nodes; a run with a class is a mark, its dataset named in the title. */
function marked(runs) {
  return runs.map(([text, css, title]) => {
    if (!css) return document.createTextNode(text);
    const made = node(css.includes("mark") ? "mark" : "span", text, css);
    if (title) made.title = title;
    return made;
  });
}

/** Characters as Python counts them: a browser counts some of them twice. */
function nCharacters(text) {
  return [...text].length;
}

function plain(runs) {
  return runs.map(([text]) => text).join("");
}

function isField(target) {
  return Boolean(target?.closest?.("input:not([type=radio],[type=checkbox]), textarea, select, [contenteditable]"));
}

/** As `data.catalogue.key`: letters, digits, + and & of a name. */
function folded(name) {
  return name.normalize("NFKC").toLowerCase().replace(/[^\p{L}\p{N}+&]/gu, "");
}

function indexed(catalogue) {
  return catalogue.map(([id, about, role, ...names]) => {
    const keys = names.map(folded);
    return { id, about, role, names: keys, all: keys.join(" ") };
  });
}

function isUnnamed({ about }) {
  return about === UNNAMED;
}

/** The first entry of each dataset. */
function unique(entries) {
  const first = new Map();
  for (const entry of entries) if (!first.has(entry.id)) first.set(entry.id, entry);
  return [...first.values()];
}

// As in annotate/naming.py and data/catalogue.py.
const AROUND = /\b(?:the|data[ -]?sets?|databases?|data|challenges?|models?|networks?)\b/gi;
const EDITION = /(\D)(?:(?:19|20)\d\d|0[5-9]|[12]\d)$/;

/** The entries whose name these words are, a dataset's first; as `annotate.naming.named`. */
function named(catalogue, words) {
  for (const name of [words, words.replace(AROUND, " ")]) {
    const whole = folded(name);
    const found = catalogue.filter(({ names }) => names.includes(whole));
    const bare = whole.replace(EDITION, "$1");
    const isEdition = ({ role, names }) => !role && names.includes(bare);
    if (found.every(({ role }) => role)) found.unshift(...catalogue.filter(isEdition));
    if (found.length) return unique(found);
  }
  return [];
}

// How a name is like what was typed: each before the next, the usual name before other names.
const [WHOLE, BEGINS, HOLDS, WORDS, GOES_ON] = [0, 10, 20, 30, 40];

/** {entry, how} of what was typed may stand for, best first, each dataset once: those of its name;
 * then names that begin so, hold it, hold all its words, or are its beginning ("ISIC 2018 JPG"). */
function ranked(catalogue, typed) {
  const wanted = folded(typed);
  if (!wanted) return [];
  const words = typed.replace(AROUND, " ").split(/[^\p{L}\p{N}+&]+/u).map(folded).filter(Boolean);
  const rows = named(catalogue, typed).map((entry, place) => ({ entry, how: WHOLE, size: 0, place }));
  catalogue.forEach((entry, place) => {
    const hasWords = words.length > 0 && words.every((word) => entry.all.includes(word));
    let [how, size] = [hasWords ? WORDS : Infinity, 0];
    entry.names.forEach((name, at) => {
      const other = at > 0 ? 1 : 0;
      if (name.startsWith(wanted)) how = Math.min(how, BEGINS + other);
      else if (name.includes(wanted)) how = Math.min(how, HOLDS + other);
      else if (how >= GOES_ON && name.length > 3 && wanted.startsWith(name)) {
        how = GOES_ON;
        size = Math.min(size, -name.length); // the longest is the nearest
      }
    });
    if (how < HOLDS) size = entry.id.length;
    else if (how < GOES_ON) size = 0;
    if (how < Infinity) rows.push({ entry, how: how + (entry.role ? 2 : 0), size, place });
  });
  rows.sort((a, b) => a.how - b.how || a.size - b.size || a.place - b.place);
  const first = new Map();
  for (const row of rows) if (!first.has(row.entry.id)) first.set(row.entry.id, row);
  return [...first.values()];
}

/** The codebook's Markdown: headings, lists, paragraphs, `code`, **bold** and *emphasis*. */
function written(markdown) {
  const blocks = [];
  for (const line of markdown.split("\n")) {
    const heading = line.match(/^(#+) (.*)/);
    if (heading) blocks.push(node(heading[1].length > 1 ? "h4" : "h3", heading[2]));
    else if (line.startsWith("- ")) {
      if (blocks.at(-1)?.tagName !== "UL") blocks.push(node("ul", ""));
      const row = node("li", "");
      row.append(...inline(line.slice(2)));
      blocks.at(-1).append(row);
    } else if (line.trim()) {
      const paragraph = node("p", "");
      paragraph.append(...inline(line));
      blocks.push(paragraph);
    }
  }
  return blocks;
}

function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*]+\*)/).map((part) => {
    if (part.startsWith("`")) return node("code", part.slice(1, -1));
    if (part.startsWith("**")) return node("b", part.slice(2, -2));
    if (part.startsWith("*")) return node("em", part.slice(1, -1));
    return document.createTextNode(part);
  });
}

/** A random version 4 UUID; crypto.randomUUID is missing where the page comes over plain http. */
function uid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
