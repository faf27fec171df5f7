// What `azd up` deploys: dev defaults, named after the azd environment. azd sets the three variables itself.
using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'dev')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param operatorObjectIds = empty(readEnvironmentVariable('AZURE_PRINCIPAL_ID', ''))
  ? []
  : [readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')]
