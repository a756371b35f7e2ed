// Cards selected by their boxes, page after page, and a bar to tag and judge their images at once.
//
// A selection lasts as long as the filters, in this window.

const SELECTED = "streetclip-selected";
const NO_IMAGE = 0; // of an action that has none of its own

const number = (n) => n.toLocaleString("en");

function button(words, click, attributes = {}) {
  return el("button", { type: "button", click, ...attributes }, words);
}

class Selection {
  constructor(actions, messages, onChange) {
    Object.assign(this, { actions, messages, onChange });
    this.read();
    this.count = el("strong", { role: "status" });
    this.page = button("Select page", () => this.choose([...this.ids, ...this.shownIds()]));
    this.all = button("", () => this.choose([], true));
    this.words = el("p", { class: "words", role: "status" });
    this.undo = button("Undo", () => actions.add("undo", NO_IMAGE));
    this.close = button("×", () => this.closeMessage(), { "aria-label": "Close the message" });
    this.closed = 0; // the last action whose message was closed
    this.tag = el("input", {
      type: "text", maxlength: LONGEST_TAG, "aria-label": "Tag of the selected images",
      placeholder: "Tag", autocomplete: "off", list: "tags-in-use",
    });
    this.offered = el("datalist", { id: "tags-in-use" });
    this.suggested = el("span", { class: "buttons", role: "group", "aria-label": "Suggested tags" });
    this.statuses = el("span", { class: "buttons", role: "group", "aria-label": "Status" });
    this.bar = el(
      "div", { class: "selected", role: "group", "aria-label": "Selected images" },
      el(
        "span", { class: "buttons" },
        this.count, this.page, this.all, button("Clear", () => this.choose([])),
      ),
      this.statuses, this.suggested,
      el(
        "form", { class: "line", submit: (event) => this.submitTag(event) },
        this.tag, this.offered, el("button", { type: "submit" }, "Add tag"),
        button("Remove tag", () => this.actOnTag("untag")),
      ),
    );
    messages.node.append(this.words, this.undo, this.close);
    this.node = el("div", { class: "foot" }, messages.node, this.bar);
  }

  read() {
    const { of, ids = [], isAll = false } = JSON.parse(KEPT_BY_WINDOW.read(SELECTED) || "{}");
    Object.assign(this, { of, ids: new Set(ids), isAll });
  }

  // The box of a card.
  box(card) {
    return el("input", {
      type: "checkbox", class: "pick", "aria-label": `Select ${card.name}`,
      click: (event) => this.toggle(card.id, event.shiftKey),
    });
  }

  shownIds() {
    return this.data.cards.map((card) => card.id);
  }

  has(id) {
    return this.isAll || this.ids.has(id);
  }

  toggle(id, isRange) {
    const shown = this.shownIds();
    const ends = [shown.indexOf(id), isRange ? shown.indexOf(this.anchor) : -1];
    if (ends[1] < 0) ends[1] = ends[0];
    const range = shown.slice(Math.min(...ends), Math.max(...ends) + 1);
    // All that match, but for some: those of this page are left.
    const ids = new Set(this.isAll ? shown : this.ids);
    const isOn = this.has(id);
    for (const each of range) {
      if (isOn) ids.delete(each);
      else ids.add(each);
    }
    this.anchor = id;
    this.choose(ids);
  }

  choose(ids, isAll = false) {
    const chosen = new Set(ids);
    const most = this.data.selectable.most_chosen;
    this.note = chosen.size > most
      ? `At most ${number(most)} images can be selected one by one. Select all that match.` : "";
    if (!this.note) {
      Object.assign(this, { ids: chosen, isAll });
      this.keep();
    }
    this.onChange();
  }

  keep() {
    const { of, isAll } = this;
    KEPT_BY_WINDOW.write(SELECTED, JSON.stringify({ of, isAll, ids: [...this.ids] }));
  }

  size() {
    return this.isAll ? this.data.selectable.num_matching : this.ids.size;
  }

  act(kind, value) {
    this.note = "";
    const several = this.isAll ? { matching: this.size() } : { images: [...this.ids] };
    this.actions.add(kind, NO_IMAGE, value, several);
  }

  actOnTag(kind) {
    const tag = this.tag.value.trim();
    if (tag) this.act(kind, tag);
    else this.tag.focus();
  }

  submitTag(event) {
    event.preventDefault();
    this.actOnTag("tag");
  }

  show(data, list) {
    this.data = data;
    this.dropIfFiltered(data.selectable);
    const boxes = list.querySelectorAll(".pick");
    data.cards.forEach((card, at) => { boxes[at].checked = this.has(card.id); });
    const { num_matching: total, most } = data.selectable;
    this.bar.hidden = this.size() === 0;
    this.count.textContent = `${number(this.size())} selected`;
    this.page.disabled = data.cards.every((card) => this.has(card.id));
    this.all.textContent = `All ${number(total)} that match`;
    this.all.disabled = this.isAll || total > most;
    this.all.title = total > most ? `At most ${number(most)} images; filter further` : "";
    this.showMessages(data);
    this.offer(data);
  }

  dropIfFiltered({ of }) {
    if (this.of === of) return;
    const n = this.ids.size;
    const what = this.isAll ? "all images were" : n === 1 ? "1 image was" : `${number(n)} images were`;
    this.note = this.isAll || n ? `The filters have changed: ${what} deselected.` : "";
    Object.assign(this, { of, ids: new Set(), isAll: false, anchor: null });
    this.keep();
  }

  closeMessage() {
    this.closed = this.data.handled.number ?? 0;
    this.note = "";
    this.onChange();
  }

  // Leave out what was done before this page was opened, or closed.
  recent(data) {
    const { session, number: last } = data.handled;
    if (session === this.actions.session && last > this.closed) return data;
    return { ...data, words: "", can_undo: false };
  }

  showMessages({ can_undo: canUndo, words: done }) {
    const isSaving = this.actions.pending.some((action) => action.images || action.matching);
    const words = isSaving ? "Saving…" : this.note ?? "";
    if (this.words.textContent !== words) this.words.textContent = words;
    this.undo.hidden = !canUndo || this.actions.pending.length > 0;
    this.close.hidden = isSaving || !(words || done);
  }

  // The tags and statuses to give, drawn once, and the tags in use on this page.
  offer({ suggested, statuses, cards }) {
    if (!this.suggested.firstChild) {
      this.suggested.append(...suggested.map((tag) => button(tag, () => this.act("tag", tag))));
      this.statuses.append(...Object.entries(statuses).map(
        ([status, label]) => button(label, () => this.act("status", status)),
      ));
    }
    const tags = [...new Set([...suggested, ...cards.flatMap((card) => card.tags)])];
    if (this.offered.children.length === tags.length) return;
    this.offered.replaceChildren(...tags.map((tag) => el("option", { value: tag })));
  }
}
