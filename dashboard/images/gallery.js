// A page of images as cards. Clicking a card opens it; a click with Ctrl opens a new window.

const CHIPS = 2;

function place(country, city) {
  return el(
    "span", { class: "place", title: city ? `${country}, ${city}` : country },
    el("b", {}, el("bdi", {}, country)), city ? " " : null,
    city ? el("small", {}, el("bdi", {}, city)) : null,
  );
}

function picture(card) {
  if (!card.picture) return el("span", { class: "picture none", title: card.problem }, card.problem);
  const image = el("img", { src: card.picture, alt: "", decoding: "async", draggable: "false" });
  return el("span", { class: "picture" }, image);
}

function confidence(card) {
  if (card.confidence === null) return el("span", { class: "confidence" }, "no confidence");
  const bar = el("span", { class: "bar", "aria-hidden": "true" }, el("span", {}));
  bar.firstChild.style.width = `${100 * Math.min(1, Math.max(0, card.confidence))}%`;
  return el("span", { class: "confidence" }, bar, hidden("confidence "), card.confidence_text);
}

function chips(card) {
  const first = card.tags.slice(0, CHIPS).map((tag) =>
    el("span", { class: "chip", title: tag }, el("bdi", {}, tag)),
  );
  const more = card.tags.slice(CHIPS);
  const rest = more.length
    ? el("span", { class: "chip more", title: more.join("\n") }, `+${more.length}`) : null;
  return el("span", { class: "chips" }, hidden(card.tags.length ? "Tags: " : ""), ...first, rest);
}

function mark(card, labels) {
  const status = { open: "", reviewed: `✓ ${labels.reviewed}` }[card.status] ?? labels[card.status];
  const words = [status, card.note ? "Note" : ""].filter(Boolean);
  return words.length ? el("span", { class: "mark" }, words.join(" · ")) : null;
}

function verdict(right) {
  const word = right === null ? "nothing predicted" : right ? "correct" : "wrong";
  return el(
    "span", { class: `verdict ${right ? "is-right" : "is-wrong"}` },
    el("span", { "aria-hidden": "true" }, right ? "✓" : "✗"), hidden(word),
  );
}

function body(card) {
  return el(
    "span", { class: "body" },
    el(
      "span", { class: "line-of-place" },
      hidden("True: "), place(card.true_country, card.true_city),
    ),
    el(
      "span", { class: "line-of-place" },
      el("span", { class: "arrow", "aria-hidden": "true" }, "→"),
      hidden("Predicted: "), place(card.predicted_country, card.predicted_city),
      verdict(card.country_correct),
    ),
    el("span", { class: "numbers" }, el("span", {}, card.distance), confidence(card)),
    card.line ? el("span", { class: "line-of-card", title: card.line }, el("bdi", {}, card.line)) : null,
    chips(card),
  );
}

// Let the card that the pointer or the focus reached last show a larger picture, which grows towards
// the middle of its row.
function aim(event) {
  const list = event.currentTarget;
  const item = event.target.closest("li");
  list.querySelector(".aimed")?.classList.remove("aimed");
  if (!item) return;
  const at = (item.offsetLeft - list.offsetLeft) / (list.clientWidth - item.clientWidth);
  item.style.setProperty("--at", `${100 * at}%`);
  item.classList.add("aimed");
}

class Gallery {
  constructor(root) {
    this.root = root;
    this.actions = new Actions();
    this.shown = new Map();
    this.list = el("ul", { class: "cards", pointerover: aim, focusin: aim });
    this.messages = new Messages();
    this.help = helpDialog();
    this.heading = el("h2", {});
    this.form = new TriageForm(this.actions, {
      onDone: () => this.closeWhenKept(), onHelp: () => this.help.showModal(),
    });
    this.box = dialog("Tags and note", this.heading, this.form.node);
    this.box.addEventListener("close", () => {
      this.form.keepNote();
      this.focus(this.edited);
      this.edited = null;
    });
    root.append(this.messages.node, this.list, this.box, this.help);
  }

  update({ data, setTriggerValue }) {
    this.data = data;
    if (data.selectable && data.may_annotate && !this.selection) {
      this.selection = new Selection(this.actions, this.messages, () => this.draw());
      this.root.append(this.selection.node);
    }
    this.list.dataset.size = data.size ?? "medium";
    this.actions.connect((value) => setTriggerValue("actions", value), () => this.draw());
    this.actions.acknowledge(data.handled);
    this.list.setAttribute("aria-label", data.label);
    this.draw();
    this.moveAfterPaging();
    if (this.closing && !this.actions.pending.length) {
      this.closing = false;
      if (!data.problem) this.box.close();
    }
  }

  draw() {
    const focused = this.root.getRootNode().activeElement;
    const items = this.data.cards.map((card) => this.item(this.actions.applied(card)));
    const present = [...this.list.children];
    if (items.length !== present.length || items.some((item, i) => item !== present[i])) {
      this.list.replaceChildren(...items);
      focused?.focus();
    }
    for (const id of this.shown.keys()) {
      if (!this.data.cards.some((card) => card.id === id)) this.shown.delete(id);
    }
    const edited = this.data.cards.find((card) => card.id === this.edited);
    if (edited) this.form.show(edited, this.data);
    const data = this.selection?.recent(this.data) ?? this.data;
    this.selection?.show(data, this.list);
    this.messages.show(this.box.open ? { problem: "", words: "" } : data);
  }

  // The element of a card: the one that is there, unless something in it has changed.
  item(card) {
    const { picture: source, ...rest } = card;
    const text = JSON.stringify(rest);
    const old = this.shown.get(card.id);
    if (old?.text === text && old.source === source) return old.node;
    const node = old?.node ?? el("li", {});
    const shownPicture = old?.source === source ? node.querySelector(".picture") : picture(card);
    const link = node.querySelector("a") ?? this.link(card.id);
    link.setAttribute("href", card.href);
    const parts = [shownPicture, mark(card, this.data.statuses), body(card), hidden(` Image ${card.name}`)];
    link.replaceChildren(...parts.filter(Boolean));
    if (!old) node.append(...[link, this.selection?.box(card), this.menu(card)].filter(Boolean));
    this.shown.set(card.id, { text, source, node });
    return node;
  }

  link(id) {
    return el("a", {
      class: "card", "data-id": id,
      click: (event) => {
        if (!isPlainClick(event)) return;
        event.preventDefault();
        this.actions.add("open", id);
      },
    });
  }

  menu(card) {
    return el(
      "button",
      {
        type: "button", class: "menu", tabindex: "-1", "aria-label": `Tags and note of ${card.name}`,
        click: () => this.edit(card.id),
      },
      "⋯",
    );
  }

  edit(id, field = null) {
    const card = this.data.cards.find((each) => each.id === id);
    if (!card) return;
    this.edited = id;
    this.heading.textContent = card.name;
    this.form.show(card, this.data);
    this.messages.show({ problem: "", words: "" });
    if (!this.box.open) this.box.showModal();
    (field ? this.form[field] : this.form.tags.querySelector("button"))?.focus();
  }

  closeWhenKept() {
    if (this.actions.pending.length) this.closing = true;
    else this.box.close();
  }

  focusedId() {
    const item = this.root.getRootNode().activeElement?.closest?.("li");
    const link = item?.querySelector("a.card");
    return link ? Number(link.dataset.id) : null;
  }

  focus(id) {
    this.list.querySelector(`a.card[data-id="${Number(id)}"]`)?.focus();
  }

  press(event) {
    const name = this.box.open ? null : pressed(this, event);
    if (name === null) return;
    const inside = event.composedPath().includes(this.root);
    if (name === "j" || (inside && event.key === "ArrowRight")) this.step(1);
    else if (name === "k" || (inside && event.key === "ArrowLeft")) this.step(-1);
    else if (inside && event.key === "ArrowDown") this.step(this.columns());
    else if (inside && event.key === "ArrowUp") this.step(-this.columns());
    else if (!this.pressOnCard(event, name)) return;
    leave(event);
  }

  pressOnCard(event, name) {
    const id = this.focusedId();
    const card = this.data.cards.find((each) => each.id === id);
    const kind = { u: "undo", "Shift+u": "redo" }[name];
    if (kind && !card && this.data.may_annotate) {
      if (!event.repeat) this.actions.add(kind, NO_IMAGE);
      return true;
    }
    if (!card) return false;
    if (this.selection && ["x", "Shift+x"].includes(name)) this.selection.toggle(id, event.shiftKey);
    else if (name === "t") this.edit(id, "own");
    else if (name === "n") this.edit(id, "note");
    else {
      this.form.show(card, this.data);
      return this.form.press(event);
    }
    return true;
  }

  columns() {
    const tops = [...this.list.children].map((item) => item.offsetTop);
    return Math.max(1, tops.filter((top) => top === tops[0]).length);
  }

  step(by) {
    const { cards, pages } = this.data;
    if (!cards.length) return;
    const at = cards.findIndex((card) => card.id === this.focusedId());
    const to = at < 0 ? 0 : at + by;
    if (to >= 0 && to < cards.length) this.focus(cards[to].id);
    else if (Math.abs(by) === 1 && (by > 0 ? pages.next : pages.previous)) {
      this.after = by > 0 ? "first" : "last";
      this.leaving = cards[0].id;
      this.actions.add("page", cards[at].id, by > 0 ? "next" : "previous");
    }
  }

  moveAfterPaging() {
    const { cards } = this.data;
    if (!this.after || !cards.length || cards[0].id === this.leaving) return;
    this.focus(this.after === "first" ? cards[0].id : cards[cards.length - 1].id);
    this.after = null;
  }
}

export default function (component) {
  mount(Gallery, component);
}
