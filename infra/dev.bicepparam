// To look and learn: the cheapest of everything, Azure ML only as jobs run, nobody is woken up.
using 'main.bicep'

param environmentName = 'dev'
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param operatorObjectIds = empty(readEnvironmentVariable('AZURE_PRINCIPAL_ID', ''))
  ? []
  : [readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')]

// The clusters to size; they stay where they are. Until the pools file says "act", they are only observed.
param clusters = []
