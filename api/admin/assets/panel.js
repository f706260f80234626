// Small comforts. Every page works without them.

// Times in the reader's own zone; the UTC stays on hover.
const inWords = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.textContent = inWords.format(new Date(time.dateTime));
  }
}

// Beside a field for a UTC time: what that is for the reader.
function localHints(root) {
  for (const input of root.querySelectorAll("input[data-utc]")) {
    const hint = input.nextElementSibling?.matches("output")
      ? input.nextElementSibling
      : input.insertAdjacentElement("afterend", document.createElement("output"));
    const show = () => {
      const moment = new Date(`${input.value}Z`);
      hint.textContent = Number.isNaN(moment.getTime()) ? "" : `${inWords.format(moment)} your time`;
    };
    input.addEventListener("input", show);
    show();
  }
}

// A box that ticks all those with the name it gives.
function tickAll(root) {
  for (const box of root.querySelectorAll("input[data-ticks]")) {
    box.addEventListener("change", () => {
      for (const other of box.form.elements[box.dataset.ticks] instanceof RadioNodeList
        ? box.form.elements[box.dataset.ticks]
        : [box.form.elements[box.dataset.ticks]]) {
        other.checked = box.checked;
      }
    });
  }
}

function enhance(root) {
  localTimes(root);
  localHints(root);
  tickAll(root);
}

enhance(document);
document.addEventListener("htmx:load", (event) => enhance(event.detail.elt));
