// To rely on: zone-redundant storage, private endpoints, longer logs, alerts that reach people.
using 'main.bicep'

param environmentName = 'prod'
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param operatorObjectIds = empty(readEnvironmentVariable('AZURE_PRINCIPAL_ID', ''))
  ? []
  : [readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')]

param storageSku = 'Standard_ZRS'
param privateNetworking = true
param logRetentionDays = 90
param alertEmails = empty(readEnvironmentVariable('ALERT_EMAIL', '')) ? [] : [readEnvironmentVariable('ALERT_EMAIL', '')]
param entraClientId = readEnvironmentVariable('ENTRA_CLIENT_ID', '')

// One line for each cluster:
// { subscriptionId: '…', resourceGroup: 'rg-web', name: 'aks-web', subnetId: '' }
param clusters = []

// One line for each place that demand is read from:
// { kind: 'prometheus', subscriptionId: '…', resourceGroup: 'rg-monitoring', name: 'amw-web' }
param demandSources = []
