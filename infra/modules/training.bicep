// Azure ML for retraining: a workspace without stored credentials, and a cluster that idles at zero nodes.
// Its storage account, vault, registry and insights are its own, because Azure ML asks for broad rights on them.

@description('Name of the installation.')
param environmentName string

@description('Unique part of names.')
param token string

@description('Azure region.')
param location string

@description('Tags.')
param tags object

@description('Object id of the identity of the app, which submits jobs.')
param appPrincipalId string

@description('Resource id of the identity of training jobs.')
param trainingIdentityId string

@description('Object id of the identity of training jobs.')
param trainingPrincipalId string

@description('Resource id of the identity of the workspace.')
param workspaceIdentityId string

@description('Object id of the identity of the workspace.')
param workspacePrincipalId string

@description('Log Analytics workspace behind the insights of Azure ML.')
param logsWorkspaceId string

@description('Name of the compute cluster.')
param computeName string

@description('Size of its nodes.')
param vmSize string

@description('Most nodes at once.')
param maxNodes int

@description('Published pipeline that the app may start; empty for none.')
param pipelineName string

@description('Whether the public endpoints are open, to Entra identities only.')
@allowed(['Enabled', 'Disabled'])
param networkAccess string

@description('Resource id of the data storage account, which jobs read and write.')
param dataStorageId string

var roleIds = {
  contributor: 'b24988ac-6180-42a0-ab88-20f7382dd24c' // Contributor
  blobContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe' // Storage Blob Data Contributor
  fileContributor: '69566ab7-960f-475b-8e7c-b3118f30c6bd' // Storage File Data Privileged Contributor
  vaultAdministrator: '00482a5a-887f-4fb3-b363-3b7fe8e74483' // Key Vault Administrator
  registryPull: '7f951dda-4ed3-4680-a7ca-43fe172d538d' // AcrPull
  endpointApprover: 'b556d68e-0be0-4f35-a333-ad7ee1ce17ea' // Azure AI Enterprise Network Connection Approver
}
var pipelineActions = empty(pipelineName) ? [] : ['${aml}/endpoints/pipelines/*']
var submitActions = [
  '${aml}/read'
  '${aml}/*/read'
  '${aml}/experiments/*'
  '${aml}/jobs/*'
  '${aml}/codes/*'
  '${aml}/environments/*'
  '${aml}/metadata/artifacts/write'
  '${aml}/metadata/snapshots/write'
  '${aml}/metadata/codes/*/write'
]
var publicAccess = networkAccess == 'Enabled'
var aml = 'Microsoft.MachineLearningServices/workspaces'

resource storage 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  // checkov:skip=CKV_AZURE_35: with privateNetworking the public endpoint is closed; else training nodes have no fixed addresses, and only Entra tokens are accepted
  // checkov:skip=CKV_AZURE_43: the name is 19 lower-case letters and digits; the checker cannot see the variable
  // checkov:skip=CKV_AZURE_206: run records; models live in the data account
  name: 'stfsml${token}'
  location: location
  tags: tags
  sku: {
    name: 'Standard_LRS'
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
    publicNetworkAccess: networkAccess
    supportsHttpsTrafficOnly: true
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: publicAccess ? 'Allow' : 'Deny'
    }
  }
}

// Azure ML will not be created without a vault; nothing of ours is kept in it.
resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  // checkov:skip=CKV_AZURE_109: with privateNetworking the public endpoint is closed; nothing of ours is kept in it
  // checkov:skip=CKV_AZURE_189: as above; by default jobs and people reach it with an Entra identity
  name: 'kv-fs-${token}'
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 7
    enablePurgeProtection: true
    publicNetworkAccess: networkAccess
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: publicAccess ? 'Allow' : 'Deny'
    }
  }
}

// The image that jobs run in; Azure ML would otherwise make a registry with an admin password.
resource registry 'Microsoft.ContainerRegistry/registries@2025-04-01' = {
  // checkov:skip=CKV_AZURE_139: with privateNetworking the public endpoint is closed; pulling needs an identity either way
  // checkov:skip=CKV_AZURE_163: Defender for Containers is a choice, and a bill, of the subscription
  // checkov:skip=CKV_AZURE_166: holds one image that Azure ML builds itself
  name: 'crfs${token}'
  location: location
  tags: tags
  sku: {
    name: publicAccess ? 'Basic' : 'Premium'
  }
  properties: {
    adminUserEnabled: false
    anonymousPullEnabled: false
    publicNetworkAccess: networkAccess
    networkRuleBypassOptions: 'AzureServices'
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-forescale-ml-${environmentName}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    DisableLocalAuth: true
    WorkspaceResourceId: logsWorkspaceId
  }
}

resource workspaceOnStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: storage
  name: guid(storage.id, workspacePrincipalId, roleIds.contributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.contributor)
    principalId: workspacePrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource workspaceOnBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: storage
  name: guid(storage.id, workspacePrincipalId, roleIds.blobContributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.blobContributor)
    principalId: workspacePrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource workspaceOnFiles 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: storage
  name: guid(storage.id, workspacePrincipalId, roleIds.fileContributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.fileContributor)
    principalId: workspacePrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource workspaceOnVault 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, workspacePrincipalId, roleIds.contributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.contributor)
    principalId: workspacePrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource workspaceOnSecrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, workspacePrincipalId, roleIds.vaultAdministrator)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.vaultAdministrator)
    principalId: workspacePrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource workspaceOnRegistry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: registry
  name: guid(registry.id, workspacePrincipalId, roleIds.contributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.contributor)
    principalId: workspacePrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource workspaceOnInsights 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: insights
  name: guid(insights.id, workspacePrincipalId, roleIds.contributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.contributor)
    principalId: workspacePrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource data 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: last(split(dataStorageId, '/'))
}

// With private networking the managed network of Azure ML reaches our data by an endpoint that its identity approves.
resource workspaceOnData 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!publicAccess) {
  scope: data
  name: guid(data.id, workspacePrincipalId, roleIds.endpointApprover)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.endpointApprover)
    principalId: workspacePrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource workspace 'Microsoft.MachineLearningServices/workspaces@2025-06-01' = {
  // checkov:skip=CKV_AZURE_243: privateNetworking adds the private endpoint
  name: 'mlw-forescale-${environmentName}'
  location: location
  tags: tags
  kind: 'Default'
  sku: {
    name: 'Basic'
    tier: 'Basic'
  }
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${workspaceIdentityId}': {}
    }
  }
  properties: {
    friendlyName: 'Forescale ${environmentName}'
    primaryUserAssignedIdentity: workspaceIdentityId
    storageAccount: storage.id
    keyVault: vault.id
    containerRegistry: registry.id
    applicationInsights: insights.id
    systemDatastoresAuthMode: 'Identity'
    publicNetworkAccess: networkAccess
    v1LegacyMode: false
    managedNetwork: publicAccess ? { isolationMode: 'Disabled' } : {
      isolationMode: 'AllowInternetOutbound'
      outboundRules: {
        data: {
          type: 'PrivateEndpoint'
          category: 'UserDefined'
          destination: {
            serviceResourceId: dataStorageId
            subresourceTarget: 'blob'
            sparkEnabled: false
          }
        }
      }
    }
  }
  dependsOn: [
    workspaceOnStorage
    workspaceOnBlobs
    workspaceOnFiles
    workspaceOnVault
    workspaceOnSecrets
    workspaceOnRegistry
    workspaceOnInsights
    workspaceOnData
  ]
}

resource compute 'Microsoft.MachineLearningServices/workspaces/computes@2025-06-01' = {
  parent: workspace
  name: computeName
  location: location
  tags: tags
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${trainingIdentityId}': {}
    }
  }
  properties: {
    computeType: 'AmlCompute'
    disableLocalAuth: true
    properties: {
      vmSize: vmSize
      vmPriority: 'Dedicated'
      osType: 'Linux'
      enableNodePublicIp: publicAccess
      remoteLoginPortPublicAccess: 'Disabled'
      scaleSettings: {
        minNodeCount: 0
        maxNodeCount: maxNodes
        nodeIdleTimeBeforeScaleDown: 'PT5M'
      }
    }
  }
}

resource trainingOnBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: storage
  name: guid(storage.id, trainingPrincipalId, roleIds.blobContributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.blobContributor)
    principalId: trainingPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource trainingOnRegistry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: registry
  name: guid(registry.id, trainingPrincipalId, roleIds.registryPull)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.registryPull)
    principalId: trainingPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// What Azure ML lists for submitting runs by SDK v1 and by the jobs REST API: code, environments, experiments, jobs.
// Not: computes, datastores and their secrets, models, endpoints, the workspace itself.
resource submitter 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, environmentName, 'forescale-job-submitter')
  properties: {
    type: 'CustomRole'
    roleName: 'Forescale job submitter (${environmentName}, ${resourceGroup().name})'
    description: 'May submit, read and cancel training jobs of one Azure ML workspace.'
    assignableScopes: [resourceGroup().id]
    permissions: [
      {
        actions: concat(submitActions, pipelineActions)
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

resource appOnWorkspace 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: workspace
  name: guid(workspace.id, appPrincipalId, submitter.id)
  properties: {
    roleDefinitionId: submitter.id
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The app uploads the training code; Azure ML names the containers itself, hence the whole account, which is its own.
resource appOnBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: storage
  name: guid(storage.id, appPrincipalId, roleIds.blobContributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.blobContributor)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

@description('Resource id of the workspace.')
output workspaceId string = workspace.id
@description('Name of the workspace.')
output workspaceName string = workspace.name
@description('Resource id of the storage account of Azure ML.')
output storageId string = storage.id
