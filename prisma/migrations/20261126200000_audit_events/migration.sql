-- Who changed what (docs/adr/0016-audit-log.md). The log only grows; what retention removes is removed by a role of its own,
-- aril_retention, which aril_app can switch to but does not inherit from.
DO $$ BEGIN CREATE ROLE aril_retention NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN
  IF NOT EXISTS (
    SELECT FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member
    WHERE g.rolname = 'aril_retention' AND r.rolname = 'aril_app' AND NOT m.inherit_option AND m.set_option
  ) THEN
    GRANT aril_retention TO aril_app WITH INHERIT FALSE, SET TRUE;
  END IF;
END $$;

-- CreateEnum
CREATE TYPE "AuditActorType" AS ENUM ('USER', 'API_KEY', 'SYSTEM');

-- CreateTable
CREATE TABLE "audit_events" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "tenant_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp(),
    "actor_type" "AuditActorType" NOT NULL,
    "actor_id" UUID,
    "actor_name" TEXT NOT NULL,
    "actor_handle" TEXT,
    "action" TEXT NOT NULL,
    "resource_type" TEXT NOT NULL,
    "resource_id" UUID NOT NULL,
    "resource_label" TEXT NOT NULL,
    "changes" JSONB NOT NULL,
    "request_id" TEXT,
    "ip_address" TEXT,
    "user_agent" TEXT,

    CONSTRAINT "audit_events_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "audit_events_tenant_id_created_at_id_idx" ON "audit_events"("tenant_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "audit_events_tenant_id_resource_type_resource_id_created_at_idx" ON "audit_events"("tenant_id", "resource_type", "resource_id", "created_at");

-- CreateIndex
CREATE INDEX "audit_events_tenant_id_actor_id_created_at_idx" ON "audit_events"("tenant_id", "actor_id", "created_at");

-- AddForeignKey
ALTER TABLE "audit_events" ADD CONSTRAINT "audit_events_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "audit_events" ADD CONSTRAINT "audit_events_actor" CHECK (("actor_type" = 'SYSTEM') = ("actor_id" IS NULL));

ALTER TABLE "audit_events" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "audit_events" FORCE ROW LEVEL SECURITY;
GRANT USAGE ON SCHEMA public TO aril_retention;

-- Whoever writes says what happened, but neither when nor under which id.
CREATE POLICY tenant_isolation ON "audit_events" TO aril_app
  USING (tenant_id = current_tenant_id()) WITH CHECK (tenant_id = current_tenant_id());
GRANT SELECT ON "audit_events" TO aril_app;
GRANT INSERT ("tenant_id", "actor_type", "actor_id", "actor_name", "actor_handle", "action", "resource_type", "resource_id",
  "resource_label", "changes", "request_id", "ip_address", "user_agent") ON "audit_events" TO aril_app, aril_identity;
-- Better Auth's connections act for no tenant. They add to the log and cannot read it.
CREATE POLICY identity ON "audit_events" FOR INSERT TO aril_identity WITH CHECK (true);
-- Of one tenant at a time, and nothing that is younger than the shortest retention that the API can be given.
CREATE POLICY retention ON "audit_events" TO aril_retention
  USING (tenant_id = current_tenant_id() AND created_at < now() - interval '30 days');
GRANT SELECT, DELETE ON "audit_events" TO aril_retention;
