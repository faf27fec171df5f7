// One identity for each job, so that none holds the rights of another.

@description('Name of the installation.')
param environmentName string

@description('Azure region.')
param location string

@description('Tags.')
param tags object

@description('Runs the function app: reads demand, sizes pools, starts retraining.')
resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-forescale-${environmentName}'
  location: location
  tags: tags
}

@description('Runs training jobs: reads history, writes models.')
resource training 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-forescale-train-${environmentName}'
  location: location
  tags: tags
}

@description('Is the Azure ML workspace itself: keeps run records, builds images.')
resource workspace 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-forescale-ml-${environmentName}'
  location: location
  tags: tags
}

@description('Resource id of the identity of the app.')
output appId string = app.id
@description('Client id of the identity of the app.')
output appClientId string = app.properties.clientId
@description('Object id of the identity of the app.')
output appPrincipalId string = app.properties.principalId
@description('Resource id of the identity of training jobs.')
output trainingId string = training.id
@description('Client id of the identity of training jobs.')
output trainingClientId string = training.properties.clientId
@description('Object id of the identity of training jobs.')
output trainingPrincipalId string = training.properties.principalId
@description('Resource id of the identity of the Azure ML workspace.')
output workspaceId string = workspace.id
@description('Object id of the identity of the Azure ML workspace.')
output workspacePrincipalId string = workspace.properties.principalId
