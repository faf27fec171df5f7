// The storage account of the data and of the app itself: no shared keys, nothing public, rights for each container.

@description('Storage account name.')
param name string

@description('Azure region.')
param location string

@description('Tags.')
param tags object

@description('Redundancy.')
param sku string

@description('Container of configuration, history, models, decisions and state.')
param dataContainerName string

@description('Days that decisions are kept.')
param decisionRetentionDays int

@description('Days that archived demand is kept.')
param historyRetentionDays int

@description('Object id of the identity of the app.')
param appPrincipalId string

@description('Object id of the identity of training jobs; empty if nothing trains in Azure.')
param trainingPrincipalId string

@description('Object ids that may read and write the data container.')
param operatorObjectIds array

@description('Whether the Functions host is confined to its two containers or has the account.')
@allowed(['containers', 'account'])
param hostStorageScope string

@description('Whether the public endpoint is open, to Entra identities only.')
param publicAccess bool

// The Functions host keeps locks, timer status and keys in these two; they exist beforehand, so it need not create any.
var hostContainers = ['azure-webjobs-hosts', 'azure-webjobs-secrets']
var packageContainer = 'app-package'
var blobOwnerRoleId = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b' // Storage Blob Data Owner

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  // checkov:skip=CKV_AZURE_35: with privateNetworking the public endpoint is closed; else Flex Consumption has no fixed addresses to list, and only Entra tokens are accepted
  // checkov:skip=CKV_AZURE_59: as above; no anonymous access and no shared keys either way
  // checkov:skip=CKV_AZURE_206: a scaler's models and decisions can be made again; prod asks for zone redundancy
  // checkov:skip=CKV_AZURE_33: no queues are used
  // checkov:skip=CKV2_AZURE_1: keys managed by Azure are enough for demand counts and node counts
  // checkov:skip=CKV2_AZURE_33: privateNetworking adds the private endpoint
  name: name
  location: location
  tags: tags
  sku: {
    name: sku
  }
  kind: 'StorageV2'
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    supportsHttpsTrafficOnly: true
    networkAcls: {
      bypass: 'None'
      defaultAction: publicAccess ? 'Allow' : 'Deny'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: true
    deleteRetentionPolicy: {
      enabled: true
      days: 14
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 14
    }
  }
}

resource data 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = {
  parent: blobs
  name: dataContainerName
  properties: {
    publicAccess: 'None'
  }
}

resource package 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = {
  parent: blobs
  name: packageContainer
  properties: {
    publicAccess: 'None'
  }
}

resource host 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = [
  for container in hostContainers: {
    parent: blobs
    name: container
    properties: {
      publicAccess: 'None'
    }
  }
]

// Decisions are append blobs, which versioning leaves alone; what is overwritten (state, pointers) leaves old versions.
resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'decisions'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: {
              blobTypes: ['appendBlob']
              prefixMatch: ['${dataContainerName}/decisions/']
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: decisionRetentionDays
                }
              }
            }
          }
        }
        {
          name: 'history'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: ['${dataContainerName}/history/']
            }
            actions: {
              baseBlob: {
                tierToCool: {
                  daysAfterModificationGreaterThan: 180
                }
                delete: {
                  daysAfterModificationGreaterThan: historyRetentionDays
                }
              }
            }
          }
        }
        {
          name: 'old-versions'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: {
              blobTypes: ['blockBlob']
            }
            actions: {
              version: {
                delete: {
                  daysAfterCreationGreaterThan: 14
                }
              }
            }
          }
        }
      ]
    }
  }
  dependsOn: [blobs]
}

module appOnData 'container-access.bicep' = {
  params: {
    storageAccountName: account.name
    containerName: data.name
    principalId: appPrincipalId
  }
}

module appOnPackage 'container-access.bicep' = {
  params: {
    storageAccountName: account.name
    containerName: package.name
    principalId: appPrincipalId
  }
}

module appOnHost 'container-access.bicep' = [
  for (container, i) in hostContainers: if (hostStorageScope == 'containers') {
    params: {
      storageAccountName: account.name
      containerName: host[i].name
      principalId: appPrincipalId
    }
  }
]

resource appOnAccount 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hostStorageScope == 'account') {
  scope: account
  name: guid(account.id, appPrincipalId, blobOwnerRoleId)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobOwnerRoleId)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

module trainingOnData 'container-access.bicep' = if (!empty(trainingPrincipalId)) {
  params: {
    storageAccountName: account.name
    containerName: data.name
    principalId: trainingPrincipalId
  }
}

module operatorsOnData 'container-access.bicep' = [
  for objectId in operatorObjectIds: {
    params: {
      storageAccountName: account.name
      containerName: data.name
      principalId: objectId
      principalType: ''
    }
  }
]

@description('Resource id.')
output id string = account.id
@description('Name.')
output name string = account.name
@description('Blob endpoint, without a slash at its end.')
output blobEndpoint string = 'https://${account.name}.blob.${environment().suffixes.storage}'
@description('Container of the deployed package.')
output packageContainerName string = packageContainer
