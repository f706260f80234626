Redoc.init(
  "/api/schema/",
  {
    theme: { typography: { fontFamily: "sans-serif", headings: { fontFamily: "sans-serif" } } },
  },
  document.getElementById("page"),
);
