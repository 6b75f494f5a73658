-- Statements (docs/adr/0015-statements.md): the ledger says of each entry which month's statement bills it, and a month
-- that has been issued is never written again.

-- Row-level security is forced on the ledger's owner too, who fills the new columns for all tenants.
ALTER TABLE "ledger_entries" NO FORCE ROW LEVEL SECURITY;
ALTER TABLE "generations" NO FORCE ROW LEVEL SECURITY;
ALTER TABLE "ledger_entries" ADD COLUMN "cached_tokens" INTEGER NOT NULL DEFAULT 0, ADD COLUMN "period" DATE;
UPDATE "ledger_entries" entry
SET "cached_tokens" = least(coalesce(generation."cached_tokens", 0), entry."prompt_tokens"),
    "period" = date_trunc('month', entry."at" AT TIME ZONE 'UTC')
FROM "generations" generation
WHERE generation."tenant_id" = entry."tenant_id" AND generation."id" = entry."generation_id";
ALTER TABLE "ledger_entries" ALTER COLUMN "period" SET NOT NULL;
ALTER TABLE "ledger_entries" ADD CONSTRAINT "ledger_entries_cached_range" CHECK ("cached_tokens" BETWEEN 0 AND "prompt_tokens");
ALTER TABLE "ledger_entries" FORCE ROW LEVEL SECURITY;
ALTER TABLE "generations" FORCE ROW LEVEL SECURITY;

-- CreateTable
CREATE TABLE "statements" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "sequence" INTEGER NOT NULL,
    "number" TEXT NOT NULL,
    "period" DATE NOT NULL,
    "currency" TEXT NOT NULL DEFAULT 'USD',
    "issuer" TEXT NOT NULL,
    "bill_to" JSONB NOT NULL,
    "line_count" INTEGER NOT NULL,
    "exact_nano_usd" BIGINT NOT NULL,
    "amount_nano_usd" BIGINT NOT NULL,
    "content_sha256" TEXT NOT NULL,
    "issued_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "statements_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "statement_lines" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "statement_id" UUID NOT NULL,
    "position" INTEGER NOT NULL,
    "service_period" DATE NOT NULL,
    "base_model_id" TEXT NOT NULL,
    "adapter_id" UUID,
    "target" TEXT NOT NULL,
    "variant" TEXT,
    "api_key_id" UUID,
    "api_key_name" TEXT,
    "price_id" UUID NOT NULL,
    "prompt_nano_usd_per_token" BIGINT NOT NULL,
    "completion_nano_usd_per_token" BIGINT NOT NULL,
    "requests" BIGINT NOT NULL,
    "failed_requests" BIGINT NOT NULL,
    "prompt_tokens" BIGINT NOT NULL,
    "cached_tokens" BIGINT NOT NULL,
    "completion_tokens" BIGINT NOT NULL,
    "exact_nano_usd" BIGINT NOT NULL,
    "amount_nano_usd" BIGINT NOT NULL,

    CONSTRAINT "statement_lines_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "billing_details" (
    "tenant_id" UUID NOT NULL,
    "legal_name" TEXT NOT NULL DEFAULT '',
    "address" TEXT NOT NULL DEFAULT '',
    "tax_id" TEXT NOT NULL DEFAULT '',
    "email" TEXT NOT NULL DEFAULT '',
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "billing_details_pkey" PRIMARY KEY ("tenant_id")
);

-- CreateIndex
CREATE INDEX "ledger_entries_tenant_id_period_target_at_idx" ON "ledger_entries"("tenant_id", "period", "target", "at");

-- CreateIndex
CREATE UNIQUE INDEX "statements_tenant_id_id_key" ON "statements"("tenant_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "statements_tenant_id_sequence_key" ON "statements"("tenant_id", "sequence");

-- CreateIndex
CREATE UNIQUE INDEX "statements_tenant_id_period_key" ON "statements"("tenant_id", "period");

-- CreateIndex
CREATE UNIQUE INDEX "statement_lines_tenant_id_statement_id_position_key" ON "statement_lines"("tenant_id", "statement_id", "position");

-- AddForeignKey
ALTER TABLE "statements" ADD CONSTRAINT "statements_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "statement_lines" ADD CONSTRAINT "statement_lines_tenant_id_statement_id_fkey" FOREIGN KEY ("tenant_id", "statement_id") REFERENCES "statements"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "billing_details" ADD CONSTRAINT "billing_details_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- Values that must hold whatever the program does. A line is rounded once, to the millionth of a dollar.
ALTER TABLE "statements" ADD CONSTRAINT "statements_whole_months" CHECK ("period" = date_trunc('month', "period"));
ALTER TABLE "statement_lines" ADD CONSTRAINT "statement_lines_rounded"
  CHECK ("amount_nano_usd" % 1000 = 0 AND abs("amount_nano_usd" - "exact_nano_usd") <= 500);

-- An entry is billed in its own month or, where that has been issued, in the first month that has not. Entries may be
-- written side by side, but not while a statement of their tenant is: none falls between two statements, or in both.
CREATE FUNCTION ledger_entry_period() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtextextended(NEW.tenant_id || ':ledger', 0));
  NEW.period := greatest(
    date_trunc('month', NEW.at AT TIME ZONE 'UTC')::date,
    (SELECT (max(period) + interval '1 month')::date FROM statements WHERE tenant_id = NEW.tenant_id));
  RETURN NEW;
END $$;
CREATE TRIGGER ledger_entry_period BEFORE INSERT ON "ledger_entries" FOR EACH ROW EXECUTE FUNCTION ledger_entry_period();

-- Statements follow each other: numbers without a gap, months in order.
CREATE FUNCTION statement_follows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE newest record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(NEW.tenant_id || ':ledger', 0));
  SELECT max(sequence) AS sequence, max(period) AS period INTO newest FROM statements WHERE tenant_id = NEW.tenant_id;
  IF NEW.sequence <> coalesce(newest.sequence, 0) + 1 OR NEW.period <= newest.period THEN
    RAISE EXCEPTION 'statement % of % does not follow statement % of %', NEW.sequence, NEW.period, newest.sequence, newest.period;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER statement_follows BEFORE INSERT ON "statements" FOR EACH ROW EXECUTE FUNCTION statement_follows();

-- When the transaction that issues a statement commits, it has to say what the ledger says.
CREATE FUNCTION statement_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  billed record;
  used numeric;
BEGIN
  SELECT count(*) AS lines, sum(exact_nano_usd) AS exact, sum(amount_nano_usd) AS amount INTO billed
  FROM statement_lines WHERE tenant_id = NEW.tenant_id AND statement_id = NEW.id;
  SELECT sum(amount_nano_usd) INTO used FROM ledger_entries WHERE tenant_id = NEW.tenant_id AND period = NEW.period;
  IF (billed.lines, billed.exact, billed.amount, used)
    IS DISTINCT FROM (NEW.line_count::bigint, NEW.exact_nano_usd::numeric, NEW.amount_nano_usd::numeric, NEW.exact_nano_usd::numeric) THEN
    RAISE EXCEPTION 'statement %: found % lines of % (exactly %) and a ledger of %, expected them to agree with its totals',
      NEW.number, billed.lines, billed.amount, billed.exact, used;
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER statement_adds_up AFTER INSERT ON "statements" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION statement_adds_up();

-- Lines come with their statement or not at all.
CREATE FUNCTION statement_line_in_time() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM statements WHERE tenant_id = NEW.tenant_id AND id = NEW.statement_id AND xmin = pg_current_xact_id()::xid) THEN
    RAISE EXCEPTION 'statement % has been issued: no line can be added', NEW.statement_id;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER statement_line_in_time BEFORE INSERT ON "statement_lines" FOR EACH ROW EXECUTE FUNCTION statement_line_in_time();

-- Tenant data.
DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['statements', 'statement_lines', 'billing_details'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format(
      'CREATE POLICY tenant_isolation ON %I USING (tenant_id = current_tenant_id()) WITH CHECK (tenant_id = current_tenant_id())',
      name);
  END LOOP;
END $$;
-- What has been issued stays as it is.
GRANT SELECT, INSERT ON "statements", "statement_lines" TO aril_app;
GRANT SELECT, INSERT, UPDATE ON "billing_details" TO aril_app;
