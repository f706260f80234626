// Scans tickets on the door page, one every `pace` milliseconds, as a USB scanner does: by Enter in
// the field. Returns for each the milliseconds from there to the decision that the page shows, and
// its word.
async ({ tickets, pace }) => {
  const field = document.getElementById("typed");
  const verdict = document.getElementById("verdict");
  const shown = () =>
    new Promise((resolve) => {
      const observer = new MutationObserver(() => {
        observer.disconnect();
        resolve(performance.now());
      });
      observer.observe(verdict, { attributeFilter: ["class"] });
    });
  const scans = [];
  const began = performance.now();
  for (const [number, ticket] of tickets.entries()) {
    const due = began + number * pace - performance.now();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due)));
    field.value = ticket;
    const decided = shown();
    const scanned = performance.now();
    field.form.requestSubmit();
    scans.push({ took: (await decided) - scanned, word: document.getElementById("word").textContent });
  }
  return scans;
}
