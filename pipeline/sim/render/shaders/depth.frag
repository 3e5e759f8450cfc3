uniform sampler2D clouds;
in vec3 at;
in float layer;
void main() {
    if (layer < -1.5) {
        float clump = texture(clouds, at.xz * 0.55 + at.y * 0.21).g * 0.6 + texture(clouds, at.yz * 1.3 + at.x * 0.4).r * 0.4;
        if (clump < 0.40) discard;
    }
}
