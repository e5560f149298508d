"""From stored rows to localizations: regrouping of flat records, and the columnar cache."""
