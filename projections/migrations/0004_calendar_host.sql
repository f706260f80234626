-- The host at the end of the ids in calendars. Programs know an event by its id, so it stays as it
-- was at the installation, whatever PUBLIC_URL becomes.
CREATE TABLE calendar_host (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    host     text    NOT NULL
);
