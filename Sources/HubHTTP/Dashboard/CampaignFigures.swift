import Hub

/// Campaigns as the page shows them, as JSON.
struct CampaignFigures: Encodable {
    struct Named: Encodable {
        let id, state: String
        /// Messages a second that it may send.
        let rate: Int
        let total, sent, missed: Int
    }

    /// How many go on, or are paused.
    let running: Int
    let named: [Named]

    init(_ campaigns: CampaignList, most: Int) {
        running = campaigns.running
        named = campaigns.latest(most).map { name, campaign in
            let progress = campaign.progress
            return Named(
                id: name, state: "\(progress.state)", rate: campaign.rate, total: progress.total,
                sent: progress.sent, missed: progress.missed)
        }
    }
}
