-- Housekeeping has to find generations that are overdue, or whose text has to go, before it knows their tenants. It may
-- read those rows, in a transaction that says so; what it then does to one happens in a transaction of its tenant.
CREATE POLICY housekeeping ON "generations" FOR SELECT
  USING (
    current_setting('app.housekeeping', true) = 'on'
    AND ("status" IN ('QUEUED', 'RUNNING') OR "text" IS NOT NULL)
  );

-- Texts to be removed, without walking through all generations there ever were.
CREATE INDEX "generations_text_finished_at_idx" ON "generations" ("finished_at") WHERE "text" IS NOT NULL;
