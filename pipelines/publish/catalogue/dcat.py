"""The record for European and international catalogues: DCAT-AP 3 as JSON-LD and Turtle.

Belongs here: the graph and its stable serialisations. Does not belong here: where values come from (facts.py), terms of
vocabularies (schemas/catalogue.toml).

Every node has an address of its own, none is blank, so that both forms sort the same way on every machine.
"""

from __future__ import annotations

import json
from typing import Any

from rdflib import Graph, Literal, Namespace, URIRef
from rdflib.namespace import DCAT, DCTERMS, FOAF, OWL, RDF, RDFS, SKOS, XSD
from rdflib.term import Node

from pipelines.publish.catalogue.facts import Facts, File
from schemas.catalogue import CatalogueDeclaration, load_catalogue
from schemas.descriptor import DESCRIPTOR, PROFILE

DCATAP = Namespace("http://data.europa.eu/r5r/")
LOCN = Namespace("http://www.w3.org/ns/locn#")
SPDX = Namespace("http://spdx.org/rdf/terms#")
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")
VERSION = URIRef(f"{DCAT}version")  # younger than the library's own list of terms
IANA = "https://www.iana.org/assignments/media-types/"
PREFIXES = {
    "dcat": DCAT,
    "dcatap": DCATAP,
    "dct": DCTERMS,
    "foaf": FOAF,
    "locn": LOCN,
    "owl": OWL,
    "rdfs": RDFS,
    "skos": SKOS,
    "spdx": SPDX,
    "vcard": VCARD,
    "xsd": XSD,
}


class _Record:
    """The graph while it grows."""

    def __init__(self, facts: Facts, terms: CatalogueDeclaration) -> None:
        self.facts, self.terms = facts, terms
        self.graph = Graph(bind_namespaces="none")
        for prefix, namespace in PREFIXES.items():
            self.graph.bind(prefix, namespace)

    def node(self, name: str, kind: Node) -> URIRef:
        return self.typed(URIRef(self.facts.node(name)), kind)

    def typed(self, node: URIRef, kind: Node) -> URIRef:
        self.graph.add((node, RDF.type, kind))
        return node

    def add(self, subject: Node, predicate: Node, *values: Node) -> None:
        for value in values:
            self.graph.add((subject, predicate, value))

    def texts(self, subject: Node, predicate: Node, zh: str, en: str) -> None:
        for text, language in ((zh, "zh"), (en, "en")):
            if text:
                self.graph.add((subject, predicate, Literal(text, lang=language)))

    def dates(self, subject: Node) -> None:
        if self.facts.issued:
            day = Literal(self.facts.issued.isoformat(), datatype=XSD.date)
            self.add(subject, DCTERMS.issued, day)
            self.add(subject, DCTERMS.modified, day)

    def languages(self, subject: Node) -> None:
        for language in self.terms.languages:
            self.add(subject, DCTERMS.language, self.typed(URIRef(language), DCTERMS.LinguisticSystem))

    def concept(self, address: str, label: str) -> URIRef:
        node = self.typed(URIRef(address), SKOS.Concept)
        self.add(node, SKOS.prefLabel, Literal(label, lang="en"))
        return node

    def publisher(self) -> URIRef:
        facts = self.facts
        node = self.node("publisher", FOAF.Agent)
        self.texts(node, FOAF.name, facts.publisher_zh, facts.publisher_en)
        self.add(node, DCTERMS.type, self.concept(self.terms.publisher_type, "Local authority"))
        if facts.website:
            self.add(node, FOAF.homepage, self.typed(URIRef(facts.website), FOAF.Document))
        return node

    def contact(self) -> URIRef:
        facts = self.facts
        node = self.node("contact", VCARD.Kind)
        self.add(node, VCARD.fn, Literal(facts.publisher_zh, lang="zh"))
        if facts.email:
            self.add(node, VCARD.hasEmail, URIRef(f"mailto:{facts.email}"))
        if facts.telephone:
            digits = "".join(c for c in facts.telephone if c.isdigit() or c == "+")
            self.add(node, VCARD.hasTelephone, URIRef(f"tel:{digits}"))
        return node

    def licence(self) -> URIRef:
        facts = self.facts
        node = URIRef(facts.licence_url or facts.node("licence"))
        self.typed(node, DCTERMS.LicenseDocument)
        self.add(node, DCTERMS.identifier, Literal(facts.licence_name))
        if facts.licence_title:
            self.add(node, DCTERMS.title, Literal(facts.licence_title))
        return node

    def place(self) -> URIRef:
        facts = self.facts
        node = self.node("region", DCTERMS.Location)
        self.add(node, DCTERMS.identifier, Literal(facts.code))
        self.texts(node, RDFS.label, facts.place_zh, facts.region_en)
        self.add(node, LOCN.geographicName, Literal(facts.place_zh, lang="zh"))
        return node

    def period(self) -> URIRef:
        node = self.node("period", DCTERMS.PeriodOfTime)
        self.add(node, DCAT.startDate, Literal(f"{self.facts.year}-01-01", datatype=XSD.date))
        self.add(node, DCAT.endDate, Literal(f"{self.facts.year}-12-31", datatype=XSD.date))
        return node

    def distribution(self, file: File, licence: URIRef) -> URIRef:
        facts, terms = self.facts, self.terms
        node = self.node(file.name, DCAT.Distribution)
        self.texts(node, DCTERMS.title, f"{file.title_zh}（{file.format}）", f"{file.title_en} ({file.format})")
        self.add(node, DCTERMS.description, Literal(file.description))
        self.add(node, DCAT.accessURL, URIRef(facts.address(DESCRIPTOR)))
        self.add(node, DCAT.downloadURL, URIRef(facts.address(file.path)))
        self.add(node, DCAT.mediaType, self.typed(URIRef(IANA + file.mediatype), DCTERMS.MediaType))
        kind = self.typed(URIRef(terms.formats[file.format]), DCTERMS.MediaTypeOrExtent)
        self.add(node, DCTERMS["format"], kind)
        self.add(node, DCAT.byteSize, Literal(str(file.bytes), datatype=XSD.nonNegativeInteger))
        self.add(node, DCTERMS.license, licence)
        self.add(node, DCATAP.availability, self.concept(terms.availability, "Stable"))
        self.languages(node)
        checksum = self.node(f"{file.name}_checksum", SPDX.Checksum)
        self.add(checksum, SPDX.algorithm, SPDX.checksumAlgorithm_sha256)
        self.add(checksum, SPDX.checksumValue, Literal(file.sha256, datatype=XSD.hexBinary))
        self.add(node, SPDX.checksum, checksum)
        return node

    def standards(self) -> list[URIRef]:
        found = []
        for number, title in enumerate(self.facts.sources, 1):
            node = self.node(f"basis_{number}", DCTERMS.Standard)
            self.add(node, DCTERMS.title, Literal(title, lang="zh"))
            found.append(node)
        profile = self.typed(URIRef(PROFILE), DCTERMS.Standard)
        self.add(profile, DCTERMS.title, Literal("Data Package 2.0", lang="en"))
        return [*found, profile]

    def dataset(self, publisher: URIRef, licence: URIRef, place: URIRef) -> URIRef:
        facts, terms = self.facts, self.terms
        node = self.node("dataset", DCAT.Dataset)
        self.texts(node, DCTERMS.title, facts.title_zh, facts.title_en)
        self.texts(node, DCTERMS.description, facts.description_zh, facts.description_en)
        self.add(node, DCTERMS.identifier, Literal(facts.identifier))
        self.add(node, DCTERMS.publisher, publisher)
        self.add(node, DCAT.contactPoint, self.contact())
        self.add(node, DCTERMS.spatial, place)
        self.add(node, DCTERMS.temporal, self.period())
        self.add(node, DCAT.theme, self.concept(terms.theme, "Government and public sector"))
        frequency = self.typed(URIRef(terms.frequency), DCTERMS.Frequency)
        self.add(node, DCTERMS.accrualPeriodicity, frequency)
        rights = self.typed(URIRef(terms.access_rights), DCTERMS.RightsStatement)
        self.add(node, DCTERMS.accessRights, rights)
        self.add(node, VERSION, Literal(facts.version))
        if facts.release:
            self.add(node, OWL.versionInfo, Literal(f"release {facts.release}"))
        self.add(node, DCTERMS.conformsTo, *self.standards())
        self.languages(node)
        for keyword in facts.keywords:
            self.add(node, DCAT.keyword, Literal(keyword, lang="en" if keyword.isascii() else "zh"))
        for path in facts.documents:
            self.add(node, FOAF.page, self.typed(URIRef(facts.address(path)), FOAF.Document))
        self.dates(node)
        for file in facts.files:
            self.add(node, DCAT.distribution, self.distribution(file, licence))
        return node

    def catalogue(self) -> None:
        facts, terms = self.facts, self.terms
        publisher, licence, place = self.publisher(), self.licence(), self.place()
        node = self.node("catalogue", DCAT.Catalog)
        zh, en = f"{facts.region_zh}政府信息公开数据目录", f"Catalogue of disclosure data, {facts.region_en}"
        self.texts(node, DCTERMS.title, zh, en)
        self.texts(node, DCTERMS.description, f"{facts.publisher_zh}：{zh}。", f"{en}, by {facts.publisher_en}.")
        self.add(node, DCTERMS.publisher, publisher)
        self.add(node, DCTERMS.license, licence)
        self.add(node, DCTERMS.spatial, place)
        taxonomy = self.typed(URIRef(terms.theme_taxonomy), SKOS.ConceptScheme)
        self.add(taxonomy, DCTERMS.title, Literal("EU data themes", lang="en"))
        self.add(node, DCAT.themeTaxonomy, taxonomy)
        self.languages(node)
        if facts.website:
            self.add(node, FOAF.homepage, URIRef(facts.website))
        self.dates(node)
        self.add(node, DCAT.dataset, self.dataset(publisher, licence, place))


def dcat_graph(facts: Facts) -> Graph:
    """The catalogue, its data set and its distributions as a graph."""
    record = _Record(facts, load_catalogue())
    record.catalogue()
    return record.graph


def turtle(graph: Graph) -> bytes:
    """The graph as Turtle, sorted; the same graph gives the same bytes."""
    return graph.serialize(format="turtle", encoding="utf-8").rstrip(b"\n") + b"\n"


def _sorted(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """JSON-LD in a fixed order: it means a set of statements, so neither keys nor arrays carry one."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return sorted((_sorted(item) for item in value), key=lambda item: json.dumps(item, ensure_ascii=False))
    return value


def json_ld(graph: Graph) -> bytes:
    """The graph as JSON-LD with its context inside; the same graph gives the same bytes."""
    context = {prefix: str(namespace) for prefix, namespace in PREFIXES.items()}
    text = graph.serialize(format="json-ld", context=context)
    return (json.dumps(_sorted(json.loads(text)), ensure_ascii=False, indent=2) + "\n").encode("utf-8")
