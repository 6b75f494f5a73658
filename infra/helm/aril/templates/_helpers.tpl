{{- define "aril.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- /* {root, component} */}}
{{- define "aril.selector" -}}
app.kubernetes.io/name: aril
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "aril.labels" -}}
{{ include "aril.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- /* {root, image} */}}
{{- define "aril.image" -}}
image: {{ .root.Values.image.registry }}/{{ .image }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{- end }}

{{- define "aril.secret" -}}
{{- if .Values.secret.existing -}}
{{ .Values.secret.existing }}
{{- else if .Values.trial.enabled -}}
{{ include "aril.name" . }}-trial
{{- else -}}
{{- fail "secret.existing: found nothing, expected the name of a Secret (values.yaml lists its keys), or trial.enabled" -}}
{{- end -}}
{{- end }}

{{- /* What pods of all components have; {root, at: the component's values} */}}
{{- define "aril.pod" -}}
serviceAccountName: {{ .serviceAccount | default (include "aril.name" .root) }}
automountServiceAccountToken: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- with .at.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .at.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with .at.affinity }}
affinity: {{ toJson . }}
{{- end }}
{{- end }}

{{- define "aril.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{- /* Copies on different nodes, as far as there are any; {root, component} */}}
{{- define "aril.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: { matchLabels: {{ include "aril.selector" . | fromYaml | toJson }} }
{{- end }}

{{- /* {root, keys, optional} */}}
{{- define "aril.secretEnv" -}}
{{- $secret := include "aril.secret" .root }}
{{- $optional := .optional }}
{{- range $name, $key := .keys }}
- name: {{ $name }}
  valueFrom: { secretKeyRef: { name: {{ $secret }}, key: {{ $key }}{{ if $optional }}, optional: true{{ end }} } }
{{- end }}
{{- end }}

{{- define "aril.objectsEnv" -}}
{{- with .Values.objects.s3 }}
{{- if .bucket }}
S3_BUCKET: {{ .bucket | quote }}
{{- with .region }}
S3_REGION: {{ . | quote }}
{{- end }}
{{- with .endpoint }}
S3_ENDPOINT: {{ . | quote }}
{{- end }}
{{- if kindIs "bool" .forcePathStyle }}
S3_FORCE_PATH_STYLE: {{ .forcePathStyle | quote }}
{{- end }}
{{- else }}
OBJECTS_DIR: /var/lib/aril/objects
{{- end }}
{{- end }}
{{- end }}

{{- /* A claim's name, or nothing; {root, volume, name} */}}
{{- define "aril.claim" -}}
{{- if .volume.existingClaim }}{{ .volume.existingClaim }}{{ else if .volume.create }}{{ include "aril.name" .root }}-{{ .name }}{{ end }}
{{- end }}

{{- define "aril.objectsClaim" -}}
{{- if not .Values.objects.s3.bucket }}
{{- $claim := include "aril.claim" (dict "root" . "volume" .Values.objects.volume "name" "objects") }}
{{- required "objects: found neither s3.bucket nor a volume, expected one of s3.bucket, volume.existingClaim and volume.create" $claim }}
{{- end }}
{{- end }}

{{- define "aril.metricsEnv" -}}
{{- if .Values.metrics.enabled }}
METRICS_HOST: 0.0.0.0
METRICS_PORT: "9464"
{{- end }}
{{- end }}

{{- define "aril.metricsPort" -}}
{{- if .Values.metrics.enabled }}
- { name: metrics, containerPort: 9464 }
{{- end }}
{{- end }}
