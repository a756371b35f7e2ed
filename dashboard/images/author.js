// The visitor's name, given once: the browser keeps it and sends it with each action.

export default function ({ parentElement }) {
  const root = parentElement.querySelector(".root");
  if (root.firstChild) return;
  const field = el("input", {
    type: "text", maxlength: 80, value: KEPT.read(NAME), placeholder: "Name in the history",
    autocomplete: "name", input: () => KEPT.write(NAME, field.value.trim()),
  });
  root.append(el("label", { class: "line author" }, el("span", {}, "Your name"), field));
}
