-- The database of release 0.1.0 (commit 0e4fcb65fa2fa36ce7a2df6542ad64a3cdc74848), which had no table of
-- migrations: an area, an event, two visitors (one is notified), an account that is signed in, and a seal.
-- `pg_dump --inserts --no-owner`, without its comments and settings. SECRET_KEY is the tests'.

SELECT pg_catalog.set_config('search_path', '', false);

CREATE FUNCTION public.append_to_history(read_ids uuid[], read_versions bigint[], event_ids uuid[], versions bigint[], topics text[], states bytea[], wrapped_keys bytea[]) RETURNS bigint[]
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    positions bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('append_to_history'));

    IF EXISTS (
        SELECT FROM unnest(read_ids, read_versions) AS seen (id, version)
        CROSS JOIN LATERAL (
            SELECT max(e.originator_version) AS version FROM history_events e
            WHERE e.originator_id = seen.id -- a look-up for each, however the join is planned
        ) AS stream
        WHERE coalesce(stream.version, 0) <> seen.version
    ) THEN
        RETURN NULL;
    END IF;

    IF EXISTS (
        SELECT FROM unnest(wrapped_keys) AS new (wrapped), installation_keys AS newest
        WHERE substr(new.wrapped, 61) <> newest.mark
    ) THEN
        RETURN '{}';
    END IF;

    WITH appended AS (
        INSERT INTO history_events (originator_id, originator_version, topic, state)
        SELECT id, version, topic, state
        FROM unnest(event_ids, versions, topics, states)
             WITH ORDINALITY AS new (id, version, topic, state, place)
        ORDER BY place
        RETURNING notification_id
    )
    SELECT array_agg(notification_id ORDER BY notification_id) INTO positions FROM appended;

    INSERT INTO personal_keys (originator_id, originator_version, wrapped)
    SELECT id, version, wrapped
    FROM unnest(event_ids, versions, wrapped_keys) AS new (id, version, wrapped)
    WHERE wrapped IS NOT NULL;

    PERFORM pg_notify('history', positions[cardinality(positions)]::text);
    RETURN positions;
END $$;

CREATE TABLE public.accounts (
    id uuid NOT NULL,
    username text NOT NULL,
    username_folded text NOT NULL,
    roles text[] NOT NULL,
    disabled boolean NOT NULL,
    registered_at timestamp with time zone NOT NULL,
    version bigint NOT NULL
);

CREATE TABLE public.areas (
    id uuid NOT NULL,
    name text NOT NULL,
    name_folded text NOT NULL,
    event_count integer NOT NULL,
    version bigint NOT NULL
);

CREATE TABLE public.credentials (
    account_id uuid NOT NULL,
    username text NOT NULL,
    password_hash text NOT NULL,
    password_version bigint NOT NULL,
    roles text[] NOT NULL,
    disabled boolean NOT NULL
);

CREATE TABLE public.deliveries (
    minute timestamp with time zone NOT NULL,
    sent integer NOT NULL,
    failed integer NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE public.delivery_pause (
    only_one boolean DEFAULT true NOT NULL,
    reason text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    probe_at timestamp with time zone NOT NULL,
    probe_every interval NOT NULL,
    CONSTRAINT delivery_pause_only_one_check CHECK (only_one)
);

CREATE TABLE public.events (
    id uuid NOT NULL,
    name text NOT NULL,
    name_folded text NOT NULL,
    trigrams text[] NOT NULL,
    area_id uuid,
    status text NOT NULL,
    event_datetime timestamp with time zone NOT NULL,
    registration_deadline timestamp with time zone NOT NULL,
    version bigint NOT NULL
);

CREATE TABLE public.history_events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text,
    state bytea,
    notification_id bigint NOT NULL
)
WITH (autovacuum_vacuum_threshold='100000000', autovacuum_vacuum_scale_factor='0.5', autovacuum_analyze_threshold='1000', autovacuum_analyze_scale_factor='0.01');

CREATE SEQUENCE public.history_events_notification_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.history_events_notification_id_seq OWNED BY public.history_events.notification_id;

CREATE TABLE public.history_seal_nodes (
    level smallint NOT NULL,
    number bigint NOT NULL,
    hash bytea NOT NULL
);

CREATE TABLE public.history_seals (
    start bigint NOT NULL,
    tree_size bigint NOT NULL,
    root_hash bytea NOT NULL,
    last_position bigint NOT NULL,
    sealed_at timestamp with time zone NOT NULL,
    previous bytea NOT NULL,
    signature bytea NOT NULL,
    positions int8multirange NOT NULL,
    leaf_hashes bytea NOT NULL
);
ALTER TABLE ONLY public.history_seals ALTER COLUMN leaf_hashes SET STORAGE EXTERNAL;

CREATE TABLE public.history_snapshots (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text,
    state bytea
);

CREATE TABLE public.installation_keys (
    only_one boolean DEFAULT true NOT NULL,
    wrapped bytea NOT NULL,
    mark bytea DEFAULT '\x'::bytea NOT NULL,
    CONSTRAINT installation_keys_only_one_check CHECK (only_one)
);

CREATE TABLE public.outbox (
    id uuid NOT NULL,
    visitor_id uuid NOT NULL,
    event_id uuid NOT NULL,
    email text,
    message text NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone NOT NULL,
    lease_token uuid,
    last_error text,
    "position" bigint NOT NULL,
    correlation_id text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    concluded_at timestamp with time zone,
    CONSTRAINT outbox_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'sent'::text, 'failed'::text])))
);
ALTER TABLE ONLY public.outbox ALTER COLUMN email SET STATISTICS 0;

CREATE TABLE public.personal_keys (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    wrapped bytea NOT NULL
);
ALTER TABLE ONLY public.personal_keys ALTER COLUMN wrapped SET STATISTICS 0;

CREATE TABLE public.projections (
    name text NOT NULL,
    schema_version integer NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL,
    version bigint DEFAULT 0 NOT NULL,
    stopped_at bigint,
    stopped_because text,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE public.rebuild_requests (
    projection text NOT NULL,
    actor text NOT NULL,
    correlation_id text NOT NULL,
    asked_at timestamp with time zone DEFAULT now() NOT NULL,
    handed_over_at timestamp with time zone,
    failed_at timestamp with time zone,
    failed_because text
);

CREATE TABLE public.registrations (
    event_id uuid NOT NULL,
    hour timestamp with time zone NOT NULL,
    count integer NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE public.schedule_runs (
    task text NOT NULL,
    last_due timestamp with time zone NOT NULL
);

CREATE TABLE public.sessions (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    refresh_hash bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE public.signing_key (
    only_one boolean DEFAULT true NOT NULL,
    wrapped bytea NOT NULL,
    CONSTRAINT signing_key_only_one_check CHECK (only_one)
);

CREATE TABLE public.sync_requests (
    only_one boolean DEFAULT true NOT NULL,
    full_sync boolean NOT NULL,
    actor text NOT NULL,
    correlation_id text NOT NULL,
    asked_at timestamp with time zone DEFAULT now() NOT NULL,
    handed_over_at timestamp with time zone,
    CONSTRAINT sync_requests_only_one_check CHECK (only_one)
);

CREATE TABLE public.sync_results (
    id uuid NOT NULL,
    full_sync boolean NOT NULL,
    succeeded boolean NOT NULL,
    new integer NOT NULL,
    updated integer NOT NULL,
    unchanged integer NOT NULL,
    skipped integer NOT NULL,
    skipped_items jsonb NOT NULL,
    reason text,
    cursor date,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone NOT NULL,
    "position" bigint NOT NULL
);

CREATE TABLE public.visitors (
    id uuid NOT NULL,
    event_id uuid NOT NULL,
    full_name text,
    email text,
    registered_at timestamp with time zone NOT NULL,
    "position" bigint NOT NULL
);
ALTER TABLE ONLY public.visitors ALTER COLUMN full_name SET STATISTICS 0;
ALTER TABLE ONLY public.visitors ALTER COLUMN email SET STATISTICS 0;

ALTER TABLE ONLY public.history_events ALTER COLUMN notification_id SET DEFAULT nextval('public.history_events_notification_id_seq'::regclass);

INSERT INTO public.accounts VALUES ('8166ebc8-49c4-8169-90f8-3d33fe448136', 'ada', 'ada', '{admin}', false, '2026-11-27 04:32:57.094111+00', 2);

INSERT INTO public.areas VALUES ('01a21b47-24a5-79d2-9fd2-2478f74c0601', 'Here', 'here', 1, 2);

INSERT INTO public.credentials VALUES ('8166ebc8-49c4-8169-90f8-3d33fe448136', 'ada', 'a hash', 1, '{admin}', false);

INSERT INTO public.deliveries VALUES ('2026-11-27 04:32:00+00', 1, 0);

INSERT INTO public.events VALUES ('01a21b47-24c3-7d78-9d22-a96e7ea691e7', 'Fair', 'fair', '{air,fai}', '01a21b47-24a5-79d2-9fd2-2478f74c0601', 'open', '2026-12-27 04:32:49+00', '2026-12-27 04:32:49+00', 1);

INSERT INTO public.history_events VALUES ('48d48bb9-102c-8c5f-8905-45f3ea325040', 1, 'AreaName.Claimed', '\x7b2274696d657374616d70223a22323032362d31312d32375430343a33323a35362e3939363937325a222c226163746f72223a22616e6f6e796d6f7573222c22636f7272656c6174696f6e5f6964223a22612d72657175657374222c2264617461223a7b22617265615f6964223a2230316132316234372d323461352d373964322d396664322d323437386637346330363031227d7d', 1);
INSERT INTO public.history_events VALUES ('01a21b47-24a5-79d2-9fd2-2478f74c0601', 1, 'Area.Created', '\x7b2274696d657374616d70223a22323032362d31312d32375430343a33323a35362e3939363937325a222c226163746f72223a22616e6f6e796d6f7573222c22636f7272656c6174696f6e5f6964223a22612d72657175657374222c2264617461223a7b226e616d65223a2248657265227d7d', 2);
INSERT INTO public.history_events VALUES ('01a21b47-24c3-7d78-9d22-a96e7ea691e7', 1, 'Event.Created', '\x7b2274696d657374616d70223a22323032362d31312d32375430343a33323a35372e3032373639335a222c226163746f72223a22616e6f6e796d6f7573222c22636f7272656c6174696f6e5f6964223a22612d72657175657374222c2264617461223a7b226e616d65223a2246616972222c226576656e745f6461746574696d65223a22323032362d31322d32375430343a33323a34395a222c22726567697374726174696f6e5f646561646c696e65223a22323032362d31322d32375430343a33323a34395a222c22617265615f6964223a2230316132316234372d323461352d373964322d396664322d323437386637346330363031222c22737461747573223a226f70656e227d7d', 3);
INSERT INTO public.history_events VALUES ('01a21b47-24a5-79d2-9fd2-2478f74c0601', 2, 'Area.EventAdded', '\x7b2274696d657374616d70223a22323032362d31312d32375430343a33323a35372e3032373639335a222c226163746f72223a22616e6f6e796d6f7573222c22636f7272656c6174696f6e5f6964223a22612d72657175657374222c2264617461223a7b226576656e745f6964223a2230316132316234372d323463332d376437382d396432322d613936653765613639316537227d7d', 4);
INSERT INTO public.history_events VALUES ('f93b6965-9aaa-8730-8ccd-b48c7b39791c', 1, 'Visitor.Registered', '\x7b2274696d657374616d70223a22323032362d31312d32375430343a33323a35372e3033393834325a222c226163746f72223a22616e6f6e796d6f7573222c22636f7272656c6174696f6e5f6964223a22612d72657175657374222c2264617461223a7b226576656e745f6964223a2230316132316234372d323463332d376437382d396432322d613936653765613639316537222c22636f6465223a2235383435222c226e6f74696669636174696f6e5f6964223a2230316132316234372d323463662d373962312d616164302d393434323736646338653239227d2c227365616c6564223a22723757647133623768684a525439614b7846564333696742383941366b666e6649462f4a486356736752727954786a3747346a68467777783339412b433359586a6674305a4b35667049624c6b4d30477a4d2f6f61666f73616432567a6746657779315a354276567150484443413d3d227d', 5);
INSERT INTO public.history_events VALUES ('24ca0d7d-9d0f-8d23-b5d0-bdcb3652b3e2', 1, 'Visitor.Registered', '\x7b2274696d657374616d70223a22323032362d31312d32375430343a33323a35372e3033393834325a222c226163746f72223a22616e6f6e796d6f7573222c22636f7272656c6174696f6e5f6964223a22612d72657175657374222c2264617461223a7b226576656e745f6964223a2230316132316234372d323463332d376437382d396432322d613936653765613639316537222c22636f6465223a2235373932222c226e6f74696669636174696f6e5f6964223a2230316132316234372d323464302d376230622d626536652d316336393533633936643366227d2c227365616c6564223a2274677747663141374c534658765445657332486776416b6148634e6d30597562457776524f6f396a7950324f3272495a44746e3472374568664e55534f4d4d79553959737073574a6f756a614d7a4d62755543304c3372506c307a75654132543864526350554d477035677153673d3d227d', 6);
INSERT INTO public.history_events VALUES ('01a21b47-24cf-79b1-aad0-944276dc8e29', 1, 'Notification.Sent', '\x7b2274696d657374616d70223a22323032362d31312d32375430343a33323a35372e3038383837315a222c226163746f72223a22616e6f6e796d6f7573222c22636f7272656c6174696f6e5f6964223a22612d72657175657374222c2264617461223a7b7d7d', 7);
INSERT INTO public.history_events VALUES ('8166ebc8-49c4-8169-90f8-3d33fe448136', 1, 'Account.Registered', '\x7b2274696d657374616d70223a22323032362d31312d32375430343a33323a35372e3039343131315a222c226163746f72223a22616e6f6e796d6f7573222c22636f7272656c6174696f6e5f6964223a22612d72657175657374222c2264617461223a7b22757365726e616d65223a22616461227d7d', 8);
INSERT INTO public.history_events VALUES ('8166ebc8-49c4-8169-90f8-3d33fe448136', 2, 'Account.RoleGranted', '\x7b2274696d657374616d70223a22323032362d31312d32375430343a33323a35372e3039343131315a222c226163746f72223a22616e6f6e796d6f7573222c22636f7272656c6174696f6e5f6964223a22612d72657175657374222c2264617461223a7b22726f6c65223a2261646d696e227d7d', 9);

INSERT INTO public.history_seals VALUES (0, 9, '\x83b5e7e14bb789540f5009a5a5d450b6d73dc79ddcaa38dbb8a19fb33894fe8a', 9, '2026-11-27 04:32:57.130366+00', '\xad6a9bfa8fa95ffdd6f9a097f581b5d8ca6c59e18a1ac117b0269df1def7f234', '\x637687f296730174f17f82fc56b0630fe01ae16e77a3ce7c57c9a8eb4665d37c7402b635b4fc147927d87d3a813373ee011cf8f02e4264fdd4e3102b80a84603', '{[1,10)}', '\xaeea81bc78a7a1aa9a1c150ac761a8b4e34c6278234e4a5d64658a47b676d41853ab161a5fe07a34eed36d8c21ca934fcaa819ce7425c5e4dabb145f493db071c4664711654af4296bcd1efe37d15b051fab7aaa0e7055f7e96a09f788b267b4257afbcc7f42e84128c90b2b5a328bb37714f5b1ceb0099d56e7c93c9e625d7411239f4d16386cd8d3697f5a86d8bdc30146549f48dd04e87eefee5a09628fc21db4cc2d828cf79d790d3b3b128c0208e50bf4a45b8d8c6bcce3f721dfa0116dd9a625675bb30520a182066a6e652bced531638840be0050d082f356d90df36e1bf348ccba34387d850c0b24c95902159ff41a663b99cb5b4ff1239c06cc126800cc1d05d62929307c587a5d82573cb9267c0f33a25cf94e7566c59ee894199e');

INSERT INTO public.installation_keys VALUES (true, '\x23d5be6b92bf58aa166d8f6934770d200447533f6df38ef98abd679375d022559b350e7eb4f98ccd3fb8cb14c355d4b3977e166c7226df31517c6906fdd37e1c05f2d925584a264cdf13ba207528155dd6594f965fb4c53171953144', '\x');

INSERT INTO public.outbox VALUES ('01a21b47-24d0-7b0b-be6e-1c6953c96d3f', '24ca0d7d-9d0f-8d23-b5d0-bdcb3652b3e2', '01a21b47-24c3-7d78-9d22-a96e7ea691e7', 'bob@example.org', 'Your confirmation code is 5792', 'waiting', 0, '2026-11-27 04:32:57.039842+00', NULL, NULL, 6, 'a-request', '2026-11-27 04:32:57.039842+00', NULL);
INSERT INTO public.outbox VALUES ('01a21b47-24cf-79b1-aad0-944276dc8e29', 'f93b6965-9aaa-8730-8ccd-b48c7b39791c', '01a21b47-24c3-7d78-9d22-a96e7ea691e7', 'ada@example.org', 'Your confirmation code is 5845', 'sent', 0, '2026-11-27 04:32:57.088871+00', NULL, NULL, 5, 'a-request', '2026-11-27 04:32:57.039842+00', '2026-11-27 04:32:57.088871+00');

INSERT INTO public.personal_keys VALUES ('f93b6965-9aaa-8730-8ccd-b48c7b39791c', 1, '\x00fee47ed8e2353ba7206af73833f5f9d81c2ddbbb8f24d551c16d9b40a619a441746ed488a2d0b68afb2a858aa699fa6d5b41112719067860b02fac');
INSERT INTO public.personal_keys VALUES ('24ca0d7d-9d0f-8d23-b5d0-bdcb3652b3e2', 1, '\x797b8ea46e37bbef70635d57cc50bbf31140155fc7b3f819b85529be7a2e6de6b8be794e1334783f6467d761974a9f0ff9aa1e4bd9c84ae4035d3cef');

INSERT INTO public.projections VALUES ('areas', 1, 9, 4, NULL, NULL, '2026-11-27 04:32:57.107816+00');
INSERT INTO public.projections VALUES ('events', 2, 9, 3, NULL, NULL, '2026-11-27 04:32:57.107841+00');
INSERT INTO public.projections VALUES ('visitors', 3, 9, 6, NULL, NULL, '2026-11-27 04:32:57.107847+00');
INSERT INTO public.projections VALUES ('registrations', 1, 9, 6, NULL, NULL, '2026-11-27 04:32:57.107852+00');
INSERT INTO public.projections VALUES ('outbox', 2, 9, 7, NULL, NULL, '2026-11-27 04:32:57.107857+00');
INSERT INTO public.projections VALUES ('deliveries', 1, 9, 7, NULL, NULL, '2026-11-27 04:32:57.107861+00');
INSERT INTO public.projections VALUES ('sync_results', 1, 9, 0, NULL, NULL, '2026-11-27 04:32:57.107866+00');
INSERT INTO public.projections VALUES ('accounts', 1, 9, 9, NULL, NULL, '2026-11-27 04:32:57.10787+00');

INSERT INTO public.registrations VALUES ('01a21b47-24c3-7d78-9d22-a96e7ea691e7', '2026-11-27 04:00:00+00', 2);
INSERT INTO public.registrations VALUES ('00000000-0000-0000-0000-000000000000', '2026-11-27 04:00:00+00', 2);
INSERT INTO public.registrations VALUES ('00000000-0000-0000-0000-000000000001', '2026-11-27 00:00:00+00', 2);

INSERT INTO public.schedule_runs VALUES ('cleanup', '2026-11-26 00:00:00+00');

INSERT INTO public.sessions VALUES ('648b2e37-9600-40ba-a5ee-d6496666a62c', '8166ebc8-49c4-8169-90f8-3d33fe448136', '\x', '2030-01-01 00:00:00+00');

INSERT INTO public.signing_key VALUES (true, '\x95520cb4a458d26a2cc8e50279cb9e41acf7a17e978dc89ec512a18f36c9bf564a2857ec4cf1c366a1dbd1854ca9bdc242eafd6fcc95b6c18021ae28');

INSERT INTO public.visitors VALUES ('f93b6965-9aaa-8730-8ccd-b48c7b39791c', '01a21b47-24c3-7d78-9d22-a96e7ea691e7', 'Ada Lovelace', 'ada@example.org', '2026-11-27 04:32:57.039842+00', 5);
INSERT INTO public.visitors VALUES ('24ca0d7d-9d0f-8d23-b5d0-bdcb3652b3e2', '01a21b47-24c3-7d78-9d22-a96e7ea691e7', 'Ada Lovelace', 'bob@example.org', '2026-11-27 04:32:57.039842+00', 6);

SELECT pg_catalog.setval('public.history_events_notification_id_seq', 9, true);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.areas
    ADD CONSTRAINT areas_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.credentials
    ADD CONSTRAINT credentials_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (minute);

ALTER TABLE ONLY public.delivery_pause
    ADD CONSTRAINT delivery_pause_pkey PRIMARY KEY (only_one);

ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.history_events
    ADD CONSTRAINT history_events_pkey PRIMARY KEY (originator_id, originator_version);

ALTER TABLE ONLY public.history_seal_nodes
    ADD CONSTRAINT history_seal_nodes_pkey PRIMARY KEY (level, number);

ALTER TABLE ONLY public.history_seals
    ADD CONSTRAINT history_seals_last_position_key UNIQUE (last_position);

ALTER TABLE ONLY public.history_seals
    ADD CONSTRAINT history_seals_pkey PRIMARY KEY (start);

ALTER TABLE ONLY public.history_snapshots
    ADD CONSTRAINT history_snapshots_pkey PRIMARY KEY (originator_id, originator_version);

ALTER TABLE ONLY public.installation_keys
    ADD CONSTRAINT installation_keys_pkey PRIMARY KEY (only_one);

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.personal_keys
    ADD CONSTRAINT personal_keys_pkey PRIMARY KEY (originator_id, originator_version);

ALTER TABLE ONLY public.projections
    ADD CONSTRAINT projections_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.rebuild_requests
    ADD CONSTRAINT rebuild_requests_pkey PRIMARY KEY (projection);

ALTER TABLE ONLY public.registrations
    ADD CONSTRAINT registrations_pkey PRIMARY KEY (event_id, hour);

ALTER TABLE ONLY public.schedule_runs
    ADD CONSTRAINT schedule_runs_pkey PRIMARY KEY (task);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.signing_key
    ADD CONSTRAINT signing_key_pkey PRIMARY KEY (only_one);

ALTER TABLE ONLY public.sync_requests
    ADD CONSTRAINT sync_requests_pkey PRIMARY KEY (only_one);

ALTER TABLE ONLY public.sync_results
    ADD CONSTRAINT sync_results_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.visitors
    ADD CONSTRAINT visitors_pkey PRIMARY KEY (id);

CREATE INDEX accounts_by_name ON public.accounts USING btree (username_folded COLLATE "C");

CREATE INDEX events_by_datetime ON public.events USING btree (event_datetime, id);

CREATE INDEX events_open ON public.events USING btree (event_datetime, id) WHERE (status = 'open'::text);

CREATE INDEX events_trigrams ON public.events USING gin (trigrams);

CREATE INDEX history_events_created_events ON public.history_events USING btree (originator_id) WHERE (topic = 'Event.Created'::text);

CREATE UNIQUE INDEX history_events_notification_id_idx ON public.history_events USING btree (notification_id);

CREATE INDEX outbox_by_time ON public.outbox USING btree (created_at);

CREATE INDEX outbox_due ON public.outbox USING btree (due_at) WHERE (state = 'waiting'::text);

CREATE INDEX outbox_failed ON public.outbox USING btree (created_at) WHERE (state = 'failed'::text);

CREATE INDEX sessions_of_account ON public.sessions USING btree (account_id);

CREATE INDEX sync_results_by_position ON public.sync_results USING btree ("position");

CREATE INDEX sync_results_by_time ON public.sync_results USING btree (finished_at);

CREATE INDEX visitors_by_event ON public.visitors USING btree (event_id, registered_at);

CREATE INDEX visitors_by_time ON public.visitors USING btree (registered_at);

CREATE INDEX visitors_words ON public.visitors USING gin (array_to_tsvector(array_remove(string_to_array(((translate(lower(full_name), '-.,''’()'::text, '       '::text) || ' '::text) || lower(email)), ' '::text), ''::text))) WITH (gin_pending_list_limit='256');
ALTER INDEX public.visitors_words ALTER COLUMN 1 SET STATISTICS 0;

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.credentials(account_id) ON DELETE CASCADE;
