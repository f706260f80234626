-- What the notification service or the mail server last said of a message that it did not take. The
-- text may repeat the address: it is encrypted with the key of the recipient's data, which an erasure
-- deletes (docs/decisions/0095-what-services-say.md).

CREATE TABLE service_replies (
    notification_id uuid PRIMARY KEY,
    person_position bigint NOT NULL, -- of the domain event that says who the recipient is
    sealed          bytea  NOT NULL
);
