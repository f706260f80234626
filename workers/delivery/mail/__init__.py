"""Messages by mail: what a mail consists of, and sending it by SMTP."""
