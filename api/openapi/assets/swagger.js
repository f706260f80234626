SwaggerUIBundle({
  url: "/api/schema/",
  dom_id: "#page",
  deepLinking: true,
  validatorUrl: null, // nothing is sent elsewhere
});
