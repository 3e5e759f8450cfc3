uniform sampler2D clouds;
in vec3 at;
in float layer;
void main() {
    if (layer < -1.5) {
        float clump = texture(clouds, at.xz * 1.1 + at.yx * 0.83).g * 0.6 + texture(clouds, at.yz * 2.3 + at.zx * 1.1).r * 0.4;
        if (clump < 0.41) discard;
    }
}
