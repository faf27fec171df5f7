// The function app on Flex Consumption: its identity opens everything, no key and no password is stored.

@description('Name of the app.')
param name string

@description('Azure region.')
param location string

@description('Tags.')
param tags object

@description('Python version.')
param pythonVersion string

@description('Memory of one instance, in MB.')
param instanceMemoryMB int

@description('Most instances.')
param maximumInstanceCount int

@description('Resource id of the identity of the app.')
param identityId string

@description('Client id of the identity of the app.')
param identityClientId string

@description('Blob endpoint of the storage account, without a slash at its end.')
param blobEndpoint string

@description('Container of the deployed package.')
param packageContainerName string

@description('Connection string of Application Insights.')
param insightsConnectionString string

@description('Subnet to send traffic through; empty for none.')
param subnetId string

@description('Whether the HTTP functions answer outside the virtual network.')
param publicHttp bool

@description('Client id of the Entra app registration; empty: function keys only.')
param entraClientId string

@description('App settings that Forescale itself reads.')
param settings object

var hostSettings = {
  AzureWebJobsStorage__blobServiceUri: blobEndpoint
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
}
// The identity of the app vouches for the app registration, so that sign-in needs no client secret.
var signInSettings = empty(entraClientId) ? {} : {
  OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: identityClientId
  WEBSITE_AUTH_AAD_ALLOWED_TENANTS: tenant().tenantId
}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  // checkov:skip=CKV_AZURE_212: Flex Consumption starts and stops instances itself
  // checkov:skip=CKV_AZURE_225: one timer that holds or adds when in doubt needs no second zone
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource site 'Microsoft.Web/sites@2024-11-01' = {
  // checkov:skip=CKV_AZURE_212: Flex Consumption starts and stops instances itself
  // checkov:skip=CKV_AZURE_17: callers are known by Entra tokens and function keys, not by certificates
  // checkov:skip=CKV_AZURE_213: health is watched by the alert on late ticks; Flex Consumption replaces sick instances itself
  // checkov:skip=CKV_AZURE_222: publicHttp=false closes the public address; open by default so that a pipeline can call retrain
  // checkov:skip=CKV_AZURE_88: the app keeps its files in blobs, by its identity
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'forescale' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    reserved: true
    httpsOnly: true
    clientCertEnabled: false
    publicNetworkAccess: publicHttp ? 'Enabled' : 'Disabled'
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${blobEndpoint}/${packageContainerName}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: pythonVersion
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
      }
    }
    siteConfig: {
      ftpsState: 'Disabled'
      http20Enabled: true
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      remoteDebuggingEnabled: false
    }
  }
}

resource appSettings 'Microsoft.Web/sites/config@2024-11-01' = {
  // checkov:skip=CKV_AZURE_13: the check means the site; sign-in is the module signIn, where asked for
  // checkov:skip=CKV_AZURE_63: the check means the site; Application Insights has every request
  // checkov:skip=CKV_AZURE_65: the check means the site; Flex Consumption has no such setting
  // checkov:skip=CKV_AZURE_66: the check means the site; Flex Consumption has no such setting
  // checkov:skip=CKV_AZURE_80: no .NET here
  // checkov:skip=CKV_AZURE_88: the app keeps its files in blobs, by its identity
  // checkov:skip=CKV_AZURE_222: the check means the site, where publicHttp decides
  parent: site
  name: 'appsettings'
  properties: union(hostSettings, signInSettings, settings)
}

// Publishing is by Entra tokens only: no publish profile, no FTP password.
resource noFtpPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: site
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noScmPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: site
  name: 'scm'
  properties: {
    allow: false
  }
}

module signIn 'sign-in.bicep' = if (!empty(entraClientId)) {
  params: {
    appName: site.name
    clientId: entraClientId
  }
  dependsOn: [appSettings]
}

@description('Resource id.')
output id string = site.id
@description('Name.')
output name string = site.name
@description('Base address.')
output url string = 'https://${site.properties.defaultHostName}'
