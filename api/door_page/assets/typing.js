// What is typed: by a person into the field, or by a USB scanner, which types a ticket and Enter
// wherever the focus is.

/** `entered` gets the text after Enter, `changed` the text so far. */
export function listen(field, { entered, changed }) {
  document.addEventListener("keydown", (event) => {
    const typesElsewhere = event.target.matches("input, textarea, select");
    if (typesElsewhere || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key.length === 1 && event.key !== " ") field.focus();
  });
  field.addEventListener("input", () => changed(field.value));
  field.form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value;
    if (!text.trim()) return;
    entered(text, () => {
      field.value = "";
      changed("");
    });
  });
}
