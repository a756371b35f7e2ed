// The named views in the sidebar: open, copy, rename, delete; name the one that is shown.
//
// Every text of the data becomes a text node, a value or an attribute, never markup.

const MOST_WITHOUT_SEARCH = 10;
const LISTS = new WeakMap();

const part = (node, selector) => node.querySelector(selector);

class Views {
  constructor(root) {
    this.root = root;
    [this.list, this.find, this.link] = ["ul", "[name=find]", "[name=link]"].map(
      (each) => part(root, each),
    );
    [this.alert, this.words] = ["alert", "status"].map((role) => part(root, `[role=${role}]`));
    this.own = part(root, ":scope > form");
    this.undo = part(root, "[name=undo]");
    this.link.hidden = true;
    this.find.oninput = () => this.narrow();
    part(root, ":scope > [name=copy]").onclick = () => this.copy(location.href);
    this.own.onsubmit = (event) => this.submit(event, "add", "");
    this.undo.onclick = () => this.send("undo");
  }

  send(kind, name = "", value = "") {
    this.trigger("act", { kind, name, value });
  }

  submit(event, kind, name) {
    event.preventDefault();
    this.send(kind, name, event.target.elements.name.value);
  }

  update({ data, setTriggerValue }) {
    this.trigger = setTriggerValue;
    const isAnswer = data.number !== this.number;
    const listed = JSON.stringify([data.views, data.may_change]);
    const hadFocus = this.list.contains(this.root.getRootNode().activeElement);
    this.own.hidden = !data.may_change;
    if (listed !== this.listed) {
      this.list.replaceChildren(...data.views.map((view) => this.row(view, data.may_change)));
      this.listed = listed;
    }
    this.find.hidden = data.views.length <= MOST_WITHOUT_SEARCH;
    if (this.find.hidden) this.find.value = "";
    this.narrow();
    this.undo.hidden = !data.deleted;
    if (!isAnswer) return;
    this.number = data.number;
    this.say(data.words, data.problem);
    if (!data.problem) this.own.reset();
    if (hadFocus && !this.list.contains(this.root.getRootNode().activeElement)) this.words.focus();
  }

  row({ name, href, is_shown: isShown }, mayChange) {
    const row = part(this.root, "template").content.cloneNode(true).firstElementChild;
    const [link, form, copy] = ["a", "form", "[name=copy]"].map((each) => part(row, each));
    part(link, "bdi").textContent = link.title = name;
    if (href) link.href = href;
    if (isShown) link.setAttribute("aria-current", "page");
    link.onclick = (event) => {
      if (!href || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      this.send("open", name);
    };
    part(row, "summary").setAttribute("aria-label", `Copy, rename or delete ${name}`);
    form.elements.name.value = name;
    form.onsubmit = (event) => this.submit(event, "rename", name);
    copy.disabled = !href;
    copy.onclick = () => this.copy(link.href);
    part(row, "[name=delete]").onclick = () => {
      row.hidden = true; // at once: a second click must not ask again
      this.send("delete", name);
    };
    if (!mayChange) for (const each of [form, part(row, "[name=delete]")]) each.remove();
    return row;
  }

  narrow() {
    const words = this.find.value.toLowerCase();
    for (const row of this.list.children) {
      row.hidden = !part(row, "bdi").textContent.toLowerCase().includes(words);
    }
  }

  say(words, problem = "") {
    this.words.textContent = words;
    this.alert.textContent = problem;
  }

  async copy(address) {
    this.undo.hidden = true;
    try {
      await navigator.clipboard.writeText(address);
      this.link.hidden = true;
      this.say("Link copied.");
    } catch { // plain http has no clipboard, and a browser may refuse it
      this.link.hidden = false;
      this.link.value = address;
      this.link.select();
      this.say("Copy the selected link.");
    }
  }
}

export default function (component) {
  const root = part(component.parentElement, ".views");
  if (!LISTS.has(root)) LISTS.set(root, new Views(root));
  LISTS.get(root).update(component);
}
