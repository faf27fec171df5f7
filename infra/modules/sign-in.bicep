// Entra sign-in in front of the HTTP functions; the identity of the app stands in for a client secret.

@description('Function app.')
param appName string

@description('Client id of the app registration, which trusts the identity of the app (docs/deploy.md).')
param clientId string

resource site 'Microsoft.Web/sites@2024-11-01' existing = {
  name: appName
}

resource settings 'Microsoft.Web/sites/config@2024-11-01' = {
  // checkov:skip=CKV_AZURE_13: the check means the site; sign-in is the resource settings, where asked for
  // checkov:skip=CKV_AZURE_63: the check means the site; Application Insights has every request
  // checkov:skip=CKV_AZURE_65: the check means the site; Flex Consumption has no such setting
  // checkov:skip=CKV_AZURE_66: the check means the site; Flex Consumption has no such setting
  // checkov:skip=CKV_AZURE_80: no .NET here
  // checkov:skip=CKV_AZURE_88: the app keeps its files in blobs, by its identity
  // checkov:skip=CKV_AZURE_222: the check means the site, where publicHttp decides
  parent: site
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: true
      runtimeVersion: '~1'
    }
    globalValidation: {
      requireAuthentication: true
      unauthenticatedClientAction: 'RedirectToLoginPage'
      redirectToProvider: 'azureactivedirectory'
      excludedPaths: ['/api/health']
    }
    httpSettings: {
      requireHttps: true
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: clientId
          clientSecretSettingName: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        }
        validation: {
          allowedAudiences: [clientId, 'api://${clientId}']
        }
      }
    }
    login: {
      tokenStore: {
        enabled: false
      }
    }
  }
}
