// An AKS cluster for those who start from nothing: sign-in by Entra only, one node pool for Forescale to size.

@description('Name.')
param name string

@description('Kubernetes version; empty for the default of the region.')
param kubernetesVersion string

@description('Pricing tier.')
@allowed(['Free', 'Standard'])
param tier string

@description('Size of the nodes.')
param vmSize string

@description('Nodes to start with.')
param nodes int

@description('Most nodes of the cluster autoscaler; 0 for none.')
param autoscalerMax int

@description('Addresses that may reach the Kubernetes API; none for any.')
param authorizedIPRanges array

@description('Azure region.')
param location string

@description('Tags.')
param tags object

resource cluster 'Microsoft.ContainerService/managedClusters@2025-05-01' = {
  // checkov:skip=CKV_AZURE_4: metrics and logs of the workloads are the choice of the owner of the cluster, and the larger part of its bill
  // checkov:skip=CKV_AZURE_8: the dashboard add-on no longer exists
  // checkov:skip=CKV_AZURE_172: no secrets are mounted
  // checkov:skip=CKV_AZURE_226: the default size has no local disk
  // checkov:skip=CKV_AZURE_227: encryption at host must first be registered in the subscription
  name: name
  location: location
  tags: tags
  sku: {
    name: 'Base'
    tier: tier
  }
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    dnsPrefix: name
    kubernetesVersion: empty(kubernetesVersion) ? null : kubernetesVersion
    enableRBAC: true
    disableLocalAccounts: true
    aadProfile: {
      managed: true
      enableAzureRBAC: true
    }
    apiServerAccessProfile: {
      authorizedIPRanges: authorizedIPRanges
      disableRunCommand: true
    }
    autoUpgradeProfile: {
      upgradeChannel: 'patch'
      nodeOSUpgradeChannel: 'NodeImage'
    }
    oidcIssuerProfile: {
      enabled: true
    }
    securityProfile: {
      imageCleaner: {
        enabled: true
        intervalHours: 168
      }
      workloadIdentity: {
        enabled: true
      }
    }
    networkProfile: {
      networkPlugin: 'azure'
      networkPluginMode: 'overlay'
      networkDataplane: 'cilium'
      networkPolicy: 'cilium'
      loadBalancerSku: 'standard'
    }
    addonProfiles: {
      azurepolicy: {
        enabled: true
      }
    }
    agentPoolProfiles: [
      {
        name: 'nodepool1'
        mode: 'System'
        type: 'VirtualMachineScaleSets'
        osType: 'Linux'
        osSKU: 'AzureLinux'
        vmSize: vmSize
        count: nodes
        enableAutoScaling: autoscalerMax > 0
        minCount: autoscalerMax > 0 ? nodes : null
        maxCount: autoscalerMax > 0 ? autoscalerMax : null
        maxPods: 110
      }
    ]
  }
}
