-- The whole schema, and who may see what of it (docs/adr/0002-row-level-security.md).
--
-- Two roles, neither of which owns anything or bypasses row-level security:
--   aril_app       what the API logs in as: sees one tenant at a time, the one named by the setting app.tenant_id
--   aril_identity  what Better Auth's connections switch to (SET ROLE): sees identity tables only, of every tenant,
--                  because a sign-in happens before there is a tenant.
-- aril_app does not inherit from aril_identity, so a query of the API proper can never read a password hash.

DO $$ BEGIN CREATE ROLE aril_app NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE aril_identity NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN
  IF NOT EXISTS (
    SELECT FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member
    WHERE g.rolname = 'aril_identity' AND r.rolname = 'aril_app' AND NOT m.inherit_option AND m.set_option
  ) THEN
    GRANT aril_identity TO aril_app WITH INHERIT FALSE, SET TRUE;
  END IF;
END $$;

-- CreateEnum
CREATE TYPE "AdapterStatus" AS ENUM ('UPLOADING', 'READY', 'REFUSED');

-- CreateEnum
CREATE TYPE "GenerationStatus" AS ENUM ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED');

-- CreateEnum
CREATE TYPE "FinishReason" AS ENUM ('STOP', 'LENGTH', 'CANCELLED', 'ERROR');

-- CreateTable
CREATE TABLE "users" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "email" TEXT NOT NULL,
    "email_verified" BOOLEAN NOT NULL DEFAULT false,
    "image" TEXT,
    "tenant_name" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "users_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "sessions" (
    "id" UUID NOT NULL,
    "token" TEXT NOT NULL,
    "user_id" UUID NOT NULL,
    "active_tenant_id" UUID,
    "ip_address" TEXT,
    "user_agent" TEXT,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "sessions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "accounts" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "account_id" TEXT NOT NULL,
    "provider_id" TEXT NOT NULL,
    "access_token" TEXT,
    "refresh_token" TEXT,
    "id_token" TEXT,
    "access_token_expires_at" TIMESTAMPTZ(3),
    "refresh_token_expires_at" TIMESTAMPTZ(3),
    "scope" TEXT,
    "password" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "accounts_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "verifications" (
    "id" UUID NOT NULL,
    "identifier" TEXT NOT NULL,
    "value" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "verifications_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "tenants" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "slug" TEXT NOT NULL,
    "logo" TEXT,
    "metadata" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "tenants_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "memberships" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "role" TEXT NOT NULL DEFAULT 'member',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "memberships_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "invitations" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "email" TEXT NOT NULL,
    "role" TEXT,
    "status" TEXT NOT NULL DEFAULT 'pending',
    "inviter_id" UUID NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "invitations_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_keys" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "prefix" TEXT NOT NULL,
    "key_hash" TEXT NOT NULL,
    "created_by_id" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_used_at" TIMESTAMPTZ(3),
    "expires_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_keys_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "base_models" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "family" TEXT NOT NULL,
    "license" TEXT NOT NULL,
    "context_tokens" INTEGER NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "base_models_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "prices" (
    "id" UUID NOT NULL,
    "base_model_id" TEXT NOT NULL,
    "prompt_nano_usd_per_token" BIGINT NOT NULL,
    "completion_nano_usd_per_token" BIGINT NOT NULL,
    "valid_from" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "prices_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "adapters" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "slug" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "base_model_id" TEXT NOT NULL,
    "status" "AdapterStatus" NOT NULL DEFAULT 'UPLOADING',
    "sha256" TEXT,
    "bytes" BIGINT NOT NULL DEFAULT 0,
    "summary" JSONB,
    "problems" JSONB NOT NULL DEFAULT '[]',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_used_at" TIMESTAMPTZ(3),
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "adapters_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "adapter_files" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "adapter_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "received" BIGINT NOT NULL DEFAULT 0,
    "sha256" TEXT,
    "object_key" TEXT,
    "upload_id" TEXT,

    CONSTRAINT "adapter_files_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "generations" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "user_id" UUID,
    "api_key_id" UUID,
    "base_model_id" TEXT NOT NULL,
    "adapter_id" UUID,
    "target" TEXT NOT NULL,
    "price_id" UUID NOT NULL,
    "idempotency_key" TEXT,
    "request_hash" TEXT NOT NULL,
    "status" "GenerationStatus" NOT NULL DEFAULT 'QUEUED',
    "finish_reason" "FinishReason",
    "text" TEXT,
    "prompt_tokens" INTEGER,
    "completion_tokens" INTEGER,
    "error_code" TEXT,
    "error_message" TEXT,
    "queue_ms" DOUBLE PRECISION,
    "ttft_ms" DOUBLE PRECISION,
    "total_ms" DOUBLE PRECISION,
    "runner_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "finished_at" TIMESTAMPTZ(3),

    CONSTRAINT "generations_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "ledger_entries" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "generation_id" UUID NOT NULL,
    "base_model_id" TEXT NOT NULL,
    "adapter_id" UUID,
    "target" TEXT NOT NULL,
    "api_key_id" UUID,
    "price_id" UUID NOT NULL,
    "failed" BOOLEAN NOT NULL DEFAULT false,
    "prompt_tokens" INTEGER NOT NULL,
    "completion_tokens" INTEGER NOT NULL,
    "amount_nano_usd" BIGINT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "ledger_entries_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "users_email_key" ON "users"("email");

-- CreateIndex
CREATE UNIQUE INDEX "sessions_token_key" ON "sessions"("token");

-- CreateIndex
CREATE INDEX "sessions_user_id_idx" ON "sessions"("user_id");

-- CreateIndex
CREATE INDEX "accounts_user_id_idx" ON "accounts"("user_id");

-- CreateIndex
CREATE UNIQUE INDEX "accounts_provider_id_account_id_key" ON "accounts"("provider_id", "account_id");

-- CreateIndex
CREATE INDEX "verifications_identifier_idx" ON "verifications"("identifier");

-- CreateIndex
CREATE UNIQUE INDEX "tenants_slug_key" ON "tenants"("slug");

-- CreateIndex
CREATE INDEX "memberships_user_id_idx" ON "memberships"("user_id");

-- CreateIndex
CREATE UNIQUE INDEX "memberships_tenant_id_user_id_key" ON "memberships"("tenant_id", "user_id");

-- CreateIndex
CREATE INDEX "invitations_tenant_id_idx" ON "invitations"("tenant_id");

-- CreateIndex
CREATE INDEX "invitations_email_idx" ON "invitations"("email");

-- CreateIndex
CREATE UNIQUE INDEX "api_keys_key_hash_key" ON "api_keys"("key_hash");

-- CreateIndex
CREATE INDEX "api_keys_tenant_id_created_at_idx" ON "api_keys"("tenant_id", "created_at");

-- CreateIndex
CREATE UNIQUE INDEX "api_keys_tenant_id_id_key" ON "api_keys"("tenant_id", "id");

-- CreateIndex
CREATE INDEX "prices_base_model_id_valid_from_idx" ON "prices"("base_model_id", "valid_from");

-- CreateIndex
CREATE INDEX "adapters_tenant_id_created_at_id_idx" ON "adapters"("tenant_id", "created_at", "id");

-- CreateIndex
CREATE UNIQUE INDEX "adapters_tenant_id_id_key" ON "adapters"("tenant_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "adapter_files_adapter_id_name_key" ON "adapter_files"("adapter_id", "name");

-- CreateIndex
CREATE INDEX "generations_tenant_id_created_at_idx" ON "generations"("tenant_id", "created_at");

-- CreateIndex
CREATE INDEX "generations_status_created_at_idx" ON "generations"("status", "created_at");

-- CreateIndex
CREATE UNIQUE INDEX "generations_tenant_id_id_key" ON "generations"("tenant_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "generations_tenant_id_idempotency_key_key" ON "generations"("tenant_id", "idempotency_key");

-- CreateIndex
CREATE INDEX "ledger_entries_tenant_id_at_idx" ON "ledger_entries"("tenant_id", "at");

-- CreateIndex
CREATE UNIQUE INDEX "ledger_entries_tenant_id_generation_id_key" ON "ledger_entries"("tenant_id", "generation_id");

-- AddForeignKey
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "accounts" ADD CONSTRAINT "accounts_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_inviter_id_fkey" FOREIGN KEY ("inviter_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "prices" ADD CONSTRAINT "prices_base_model_id_fkey" FOREIGN KEY ("base_model_id") REFERENCES "base_models"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "adapters" ADD CONSTRAINT "adapters_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "adapters" ADD CONSTRAINT "adapters_base_model_id_fkey" FOREIGN KEY ("base_model_id") REFERENCES "base_models"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "adapter_files" ADD CONSTRAINT "adapter_files_tenant_id_adapter_id_fkey" FOREIGN KEY ("tenant_id", "adapter_id") REFERENCES "adapters"("tenant_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "generations" ADD CONSTRAINT "generations_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "generations" ADD CONSTRAINT "generations_base_model_id_fkey" FOREIGN KEY ("base_model_id") REFERENCES "base_models"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "generations" ADD CONSTRAINT "generations_price_id_fkey" FOREIGN KEY ("price_id") REFERENCES "prices"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "generations" ADD CONSTRAINT "generations_tenant_id_adapter_id_fkey" FOREIGN KEY ("tenant_id", "adapter_id") REFERENCES "adapters"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "generations" ADD CONSTRAINT "generations_tenant_id_api_key_id_fkey" FOREIGN KEY ("tenant_id", "api_key_id") REFERENCES "api_keys"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "ledger_entries" ADD CONSTRAINT "ledger_entries_tenant_id_generation_id_fkey" FOREIGN KEY ("tenant_id", "generation_id") REFERENCES "generations"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- A deleted adapter's slug is free again.
CREATE UNIQUE INDEX "adapters_tenant_id_slug_key" ON "adapters"("tenant_id", "slug") WHERE "deleted_at" IS NULL;
-- Finding other live adapters with the same content.
CREATE INDEX "adapters_tenant_id_sha256_idx" ON "adapters"("tenant_id", "sha256") WHERE "deleted_at" IS NULL;

-- Values that must hold whatever the program does.
ALTER TABLE "adapters" ADD CONSTRAINT "adapters_ready_has_content" CHECK ("status" <> 'READY' OR "sha256" IS NOT NULL);
ALTER TABLE "adapter_files" ADD CONSTRAINT "adapter_files_bytes_range" CHECK ("bytes" > 0 AND "received" BETWEEN 0 AND "bytes");
ALTER TABLE "prices" ADD CONSTRAINT "prices_not_negative"
  CHECK ("prompt_nano_usd_per_token" >= 0 AND "completion_nano_usd_per_token" >= 0);
ALTER TABLE "ledger_entries" ADD CONSTRAINT "ledger_entries_not_negative"
  CHECK ("prompt_tokens" >= 0 AND "completion_tokens" >= 0 AND "amount_nano_usd" >= 0);

-- The tenant a transaction acts for. No setting, or an empty one, is no tenant: nothing is visible.
CREATE FUNCTION current_tenant_id() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('app.tenant_id', true), '')::uuid $$;

GRANT USAGE ON SCHEMA public TO aril_app, aril_identity;

-- Tenant data.
DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['api_keys', 'adapters', 'adapter_files', 'generations', 'ledger_entries'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format(
      'CREATE POLICY tenant_isolation ON %I USING (tenant_id = current_tenant_id()) WITH CHECK (tenant_id = current_tenant_id())',
      name);
  END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON "adapters", "adapter_files", "generations" TO aril_app;
GRANT SELECT, INSERT, UPDATE ON "api_keys" TO aril_app;
-- The ledger only grows.
GRANT SELECT, INSERT ON "ledger_entries" TO aril_app;

-- An API key is looked up before its tenant is known: whoever has the key's HMAC may see that one row.
CREATE POLICY known_by_hash ON "api_keys" FOR SELECT
  USING ("key_hash" = nullif(current_setting('app.api_key_hash', true), ''));

-- Identity tables: all rows for Better Auth, the current tenant's for the API, nothing of the secret ones.
DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['users', 'sessions', 'accounts', 'verifications', 'tenants', 'memberships', 'invitations'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO aril_identity', name);
    EXECUTE format('CREATE POLICY identity ON %I TO aril_identity USING (true) WITH CHECK (true)', name);
  END LOOP;
END $$;
GRANT SELECT ON "users", "tenants", "memberships", "invitations" TO aril_app;
CREATE POLICY tenant_isolation ON "memberships" FOR SELECT TO aril_app USING (tenant_id = current_tenant_id());
CREATE POLICY tenant_isolation ON "invitations" FOR SELECT TO aril_app USING (tenant_id = current_tenant_id());
CREATE POLICY tenant_isolation ON "tenants" FOR SELECT TO aril_app USING (id = current_tenant_id());
CREATE POLICY tenant_isolation ON "users" FOR SELECT TO aril_app
  USING (EXISTS (SELECT FROM memberships m WHERE m.user_id = users.id AND m.tenant_id = current_tenant_id()));

-- What all tenants share. A price never changes.
GRANT SELECT, INSERT, UPDATE ON "base_models" TO aril_app;
GRANT SELECT, INSERT ON "prices" TO aril_app;
